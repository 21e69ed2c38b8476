// Processes and namespaces for the lab: what must happen between fork and exec, in C because only
// async-signal-safe calls are allowed there.
#ifndef AMBIT_PROCESSES_H
#define AMBIT_PROCESSES_H
#include <stdint.h>
#include <sys/types.h>

// A command to run. Descriptors that are -1 mean: as the parent (namespaces) or /dev/null (stdio).
struct ambit_command {
    const char *file;  // looked up in the PATH of envp
    char *const *argv;
    char *const *envp;
    const char *directory;  // NULL for "/"
    int input, output, error;
    int network, mount, hostname;  // namespaces to join
    uint64_t open_files;           // soft limit of open files; 0 keeps the parent's
};

// Runs the command as the leader of a new session with all signals at their defaults and nothing
// else open. Returns its process id; -1 with errno of the step that failed, and its name in *step.
int ambit_spawn(const struct ambit_command *command, const char **step);

// Namespaces to make for a pod.
struct ambit_sandbox {
    int network;           // the namespace to join, -1 to make a new one
    const char *hostname;  // of the new UTS namespace
    // Files to bind over others in the new mount namespace, in order.
    const char *const *sources;
    const char *const *targets;
    int binds;
    const char *hidden;  // a mount point that is taken away there, with all mounts under it
};

// Makes the namespaces and opens them: fds[0] network, fds[1] mount, fds[2] UTS. No process is
// left; the descriptors keep the namespaces. -1 with errno of the step that failed, and its name.
int ambit_sandbox_make(const struct ambit_sandbox *sandbox, int fds[3], const char **step);

// poll() over parallel arrays, at most 512 descriptors; timeout in milliseconds, -1 none.
int ambit_poll(const int *fds, const short *events, short *ready, int count, int timeout);
// Abstract Unix stream sockets, close-on-exec; listening ones are non-blocking.
int ambit_abstract_bind(const char *name);
int ambit_abstract_connect(const char *name);
// Who connected (or, on a client's socket, who listens): process, user.
int ambit_peer(int fd, int *pid, unsigned *uid);
int ambit_pidfd_open(int pid);
// Waits for any child without blocking: its pid, 0 when none is done, -1 with errno. *code is the
// exit code, or 128 plus the signal that ended it.
int ambit_reap(int *code);
// A raw packet socket on an interface of the calling thread's network namespace; 0 means on all.
int ambit_packet_socket(unsigned interface);
// Receives one packet, cut to length; returns the length on the wire. *sent: went out of the
// interface rather than came in; *interface: which one.
ssize_t ambit_packet_receive(int fd, void *bytes, size_t length, int *sent, unsigned *interface);
// Packets the socket had no room for since the last call; -1 with errno.
int64_t ambit_packet_drops(int fd);
// Device number and inode of what a path names, without following it further than the kernel does.
int ambit_file_identity(const char *path, uint64_t *device, uint64_t *inode);
#endif
