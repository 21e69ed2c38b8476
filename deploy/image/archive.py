"""Puts programs and the libraries they load into an OCI image archive (image-spec 1.1).

The archive is an OCI layout, with the manifest.json of `docker save` beside it so that older tools
read it too. Everything in it is sorted, owned by root and of one time, so that the same files give
the same bytes.
"""

import argparse
import gzip
import hashlib
import io
import json
import os
import posixpath
import re
import subprocess
import sys
import tarfile
import time

# Debian's name of an architecture, then Go's, which OCI uses, with its variant.
ARCHITECTURES = {
    "amd64": ("amd64", None),
    "arm64": ("arm64", "v8"),
    "riscv64": ("riscv64", None),
    "ppc64el": ("ppc64le", None),
    "s390x": ("s390x", None),
}
# Loaded by name while a program runs, so that no program says it needs them.
LOADED_BY_NAME = ["libnss_dns.so.2", "libnss_files.so.2", "libresolv.so.2"]
EPOCH = int(os.environ.get("SOURCE_DATE_EPOCH", "0"))


def fail(reason):
    sys.exit(f"deploy/image/archive.py: {reason}")


class Layer:
    """Files of one layer by their path, without the leading slash."""

    def __init__(self):
        self.entries = {}

    def directory(self, path):
        while path:
            self.entries.setdefault(path, ("directory", None, 0o755))
            path = posixpath.dirname(path)

    def file(self, path, content, mode=0o644):
        self.directory(posixpath.dirname(path))
        self.entries[path] = ("file", content, mode)

    def link(self, path, target):
        self.directory(posixpath.dirname(path))
        self.entries[path] = ("link", target, 0o777)

    def tar(self):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for path in sorted(self.entries):
                kind, value, mode = self.entries[path]
                add(archive, path, kind, value, mode)
        return buffer.getvalue()


    def unpack(self, root):
        os.makedirs(root, exist_ok=True)
        for path in sorted(self.entries):
            kind, value, mode = self.entries[path]
            place = os.path.join(root, path)
            if kind == "directory":
                os.makedirs(place, exist_ok=True)
            elif kind == "link":
                os.symlink(value, place)
            else:
                with open(place, "wb") as file:
                    file.write(value)
            if kind != "link":
                os.chmod(place, mode)


def add(archive, path, kind, value, mode):
    entry = tarfile.TarInfo(path)
    entry.mode, entry.mtime = mode, EPOCH
    if kind == "directory":
        entry.type = tarfile.DIRTYPE
        archive.addfile(entry)
    elif kind == "link":
        entry.type, entry.linkname = tarfile.SYMTYPE, value
        archive.addfile(entry)
    else:
        entry.size = len(value)
        archive.addfile(entry, io.BytesIO(value))


def read(path):
    with open(path, "rb") as file:
        return file.read()


def dynamic(path):
    """The names of the libraries that a file needs, and the loader it asks for."""
    text = subprocess.run(
        ["readelf", "--wide", "--dynamic", "--program-headers", path],
        check=True, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"},
    ).stdout
    needed = re.findall(r"\(NEEDED\).*\[(.+)\]", text)
    loader = re.search(r"Requesting program interpreter: (.+)\]", text)
    return needed, loader.group(1) if loader else None


class Libraries:
    """Where a library's name leads to, in the tree of Debian packages and then elsewhere."""

    def __init__(self, debian, others):
        self.debian = debian
        self.found = {}
        for folder in ["usr/lib", "lib"]:
            root = os.path.join(debian, folder)
            for place, _, names in sorted(os.walk(root)):
                self.note(place, names, os.path.relpath(place, debian))
        for place in others:
            self.note(place, os.listdir(place), "usr/lib")

    def note(self, place, names, inside):
        for name in sorted(names):
            path = os.path.join(place, name)
            if ".so" in name and os.path.isfile(path) and name not in self.found:
                self.found[name] = (path, posixpath.join(inside, name))

    def closure(self, programs):
        """All libraries that the programs load, by name."""
        names, loaders, waiting = {}, set(), list(programs)
        while waiting:
            path = waiting.pop()
            needed, loader = dynamic(path)
            if loader:
                loaders.add(loader)
                needed = needed + LOADED_BY_NAME + [os.path.basename(loader)]
            for name in needed:
                if name in names:
                    continue
                if name not in self.found:
                    fail(
                        f"{os.path.basename(path)} needs {name}, which is in none of the image's"
                        " packages; build with --static-swift-stdlib, or add its package"
                    )
                names[name] = self.found[name]
                waiting.append(self.found[name][0])
        return names, loaders


def base_layer(debian, programs, others):
    layer = Layer()
    names, loaders = Libraries(debian, others).closure(programs)
    for path, inside in names.values():
        layer.file(inside, read(path), 0o755)
    for loader in sorted(loaders):
        name = os.path.basename(loader)
        if name not in names:
            fail(f"the loader {loader} is in none of the image's packages")
        layer.file("usr/" + loader.lstrip("/"), read(names[name][0]), 0o755)
    # Debian's merged /usr.
    for name in ["bin", "sbin", "lib", "lib64"]:
        layer.directory("usr/" + name)
        layer.link(name, "usr/" + name)
    roots = sorted(
        os.path.join(place, name)
        for place, _, found in os.walk(os.path.join(debian, "usr/share/ca-certificates/mozilla"))
        for name in found if name.endswith(".crt")
    )
    if not roots:
        fail("the package ca-certificates has no roots")
    layer.file("etc/ssl/certs/ca-certificates.crt", b"".join(map(read, roots)))
    layer.file("etc/nsswitch.conf", b"passwd: files\ngroup: files\nhosts: files dns\n")
    users = "root:x:0:0:root:/:/sbin/nologin\nambit:x:65532:65532::/:/sbin/nologin\n"
    layer.file("etc/passwd", users.encode())
    layer.file("etc/group", b"root:x:0:\nambit:x:65532:\n")
    layer.file("etc/os-release", read(os.path.join(debian, "usr/lib/os-release")))
    # Where a container's mounts go.
    mounts = ["etc/cni/net.d", "opt/cni/bin", "host/proc/sys/net", "var/lib/ambit"]
    for name in ["proc", "sys", "dev", "run", "tmp"] + mounts:
        layer.directory(name)
    layer.entries["tmp"] = ("directory", None, 0o1777)
    layer.link("var/run", "/run")
    add_notices(layer, debian)
    return layer


def add_notices(layer, debian):
    """The licences of the packages."""
    root = os.path.join(debian, "usr/share/doc")
    for name in sorted(os.listdir(root)):
        path = os.path.join(root, name, "copyright")
        if os.path.isfile(path):
            layer.file(f"usr/share/doc/{name}/copyright", read(path))


class Archive:
    """The blobs of an OCI layout."""

    def __init__(self):
        self.blobs = {}

    def blob(self, content, media_type):
        digest = hashlib.sha256(content).hexdigest()
        self.blobs[digest] = content
        return {"mediaType": media_type, "digest": "sha256:" + digest, "size": len(content)}

    def json(self, value, media_type):
        return self.blob(json.dumps(value, sort_keys=True).encode(), media_type)

    def write(self, path, files):
        contents = dict(files)
        for digest, content in self.blobs.items():
            contents["blobs/sha256/" + digest] = content
        with tarfile.open(path, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for folder in ["blobs", "blobs/sha256"]:
                add(archive, folder, "directory", None, 0o755)
            for name in sorted(contents):
                add(archive, name, "file", contents[name], 0o644)


def main():
    parser = argparse.ArgumentParser()
    for name in ["debian", "programs", "architecture", "tag", "version", "output"]:
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--libraries", action="append", default=[])
    parser.add_argument("--root")
    options = parser.parse_args()
    if options.architecture not in ARCHITECTURES:
        fail(f"the architecture {options.architecture} has no name in OCI here")
    architecture, variant = ARCHITECTURES[options.architecture]

    ours = Layer()
    programs = []
    for name in sorted(os.listdir(options.programs)):
        path = os.path.join(options.programs, name)
        if os.path.islink(path):
            ours.link("usr/local/bin/" + name, os.readlink(path))
        else:
            ours.file("usr/local/bin/" + name, read(path), 0o755)
            programs.append(path)

    archive = Archive()
    created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(EPOCH))
    layers, diffs, history = [], [], []
    steps = [
        (base_layer(options.debian, programs, options.libraries), "libraries of Debian trixie"),
        (ours, f"programs of Ambit {options.version}"),
    ]
    for layer, what in steps:
        if options.root:
            layer.unpack(options.root)
        tar = layer.tar()
        diffs.append("sha256:" + hashlib.sha256(tar).hexdigest())
        layers.append(
            archive.blob(
                gzip.compress(tar, compresslevel=9, mtime=0),
                "application/vnd.oci.image.layer.v1.tar+gzip",
            )
        )
        history.append({"created": created, "created_by": what})
    config = {
        "architecture": architecture,
        "os": "linux",
        "created": created,
        "config": {
            "Env": ["PATH=/usr/local/bin", "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"],
            "User": "65532:65532",
            "WorkingDir": "/",
            "Cmd": ["/usr/local/bin/ambit", "version"],
            "Labels": {
                "org.opencontainers.image.title": "ambit",
                "org.opencontainers.image.version": options.version,
            },
        },
        "rootfs": {"type": "layers", "diff_ids": diffs},
        "history": history,
    }
    platform = {"architecture": architecture, "os": "linux"}
    if variant:
        config["variant"] = platform["variant"] = variant
    described = archive.json(config, "application/vnd.oci.image.config.v1+json")
    manifest = archive.json(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": described,
            "layers": layers,
        },
        "application/vnd.oci.image.manifest.v1+json",
    )
    name = options.tag.rsplit(":", 1)
    manifest["platform"] = platform
    manifest["annotations"] = {
        "io.containerd.image.name": options.tag,
        "org.opencontainers.image.ref.name": name[1] if len(name) > 1 else "latest",
    }
    paths = ["blobs/" + entry["digest"].replace(":", "/") for entry in [described] + layers]
    saved = [{"Config": paths[0], "RepoTags": [options.tag], "Layers": paths[1:]}]
    index = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [manifest],
    }
    archive.write(
        options.output,
        {
            "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
            "index.json": json.dumps(index, sort_keys=True).encode(),
            "manifest.json": json.dumps(saved, sort_keys=True).encode(),
        },
    )
    size = os.path.getsize(options.output)
    print(f"{options.output}: {options.tag}, {architecture}, {size / 1e6:.1f} MB")


main()
