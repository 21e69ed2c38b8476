#define _GNU_SOURCE
#include "Processes.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

// What a child tells its parent when a step fails; the names are literals of this file, so the
// pointer means the same in both.
struct failure {
    int code;
    const char *step;
};

static void fail(int report, const char *step) {
    struct failure failure = {errno, step};
    ssize_t ignored = write(report, &failure, sizeof failure);
    (void)ignored;
    _exit(127);
}

// Reads the child's failure; 0 when there is none (the pipe closed on exec, or said code 0).
static int failed(int report, const char **step) {
    struct failure failure;
    ssize_t got;
    do {
        got = read(report, &failure, sizeof failure);
    } while (got < 0 && errno == EINTR);
    if (got != sizeof failure || failure.code == 0) return 0;
    *step = failure.step;
    return failure.code;
}

static void default_signals(void) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = SIG_DFL;
    for (int number = 1; number < NSIG; number++) sigaction(number, &action, NULL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void child(const struct ambit_command *command, int report) {
    default_signals();
    setsid();
    if (command->network >= 0 && setns(command->network, CLONE_NEWNET) != 0)
        fail(report, "setns network");
    if (command->hostname >= 0 && setns(command->hostname, CLONE_NEWUTS) != 0)
        fail(report, "setns UTS");
    if (command->mount >= 0 && setns(command->mount, CLONE_NEWNS) != 0)
        fail(report, "setns mount");
    if (chdir(command->directory != NULL ? command->directory : "/") != 0)
        fail(report, "chdir");
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0) fail(report, "open /dev/null");
    int given[3] = {command->input, command->output, command->error};
    // First above the standard numbers, so that no dup2 overwrites one still to be copied.
    for (int i = 0; i < 3; i++) {
        given[i] = fcntl(given[i] >= 0 ? given[i] : null, F_DUPFD_CLOEXEC, 3);
        if (given[i] < 0) fail(report, "dup");
    }
    for (int i = 0; i < 3; i++) {
        if (dup2(given[i], i) < 0) fail(report, "dup2");
    }
    syscall(SYS_close_range, 3u, ~0u, 4u /* CLOSE_RANGE_CLOEXEC */);
    struct rlimit limit;
    if (command->open_files > 0 && getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = command->open_files < limit.rlim_max ? command->open_files
                                                              : limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    execvpe(command->file, command->argv, command->envp);
    fail(report, "exec");
}

int ambit_spawn(const struct ambit_command *command, const char **step) {
    int report[2];
    *step = "pipe";
    if (pipe2(report, O_CLOEXEC) != 0) return -1;
    *step = "fork";
    pid_t pid = fork();
    if (pid == 0) child(command, report[1]);
    int code = pid < 0 ? errno : 0;
    close(report[1]);
    if (pid > 0) {
        code = failed(report[0], step);
        if (code != 0) waitpid(pid, NULL, 0);
    }
    close(report[0]);
    if (code == 0) return pid;
    errno = code;
    return -1;
}

static void sandbox_child(const struct ambit_sandbox *sandbox, int report) {
    if (sandbox->network >= 0) {
        if (setns(sandbox->network, CLONE_NEWNET) != 0) fail(report, "setns network");
    } else if (unshare(CLONE_NEWNET) != 0) {
        fail(report, "unshare network");
    }
    if (unshare(CLONE_NEWNS | CLONE_NEWUTS) != 0) fail(report, "unshare mount and UTS");
    if (sethostname(sandbox->hostname, strlen(sandbox->hostname)) != 0)
        fail(report, "sethostname");
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) fail(report, "mount private");
    for (int i = 0; i < sandbox->binds; i++) {
        if (mount(sandbox->sources[i], sandbox->targets[i], NULL, MS_BIND, NULL) != 0)
            fail(report, "bind a pod's file in /etc");
    }
    if (umount2(sandbox->hidden, MNT_DETACH) != 0) fail(report, "unmount the lab's own files");
}

static int open_namespace(pid_t pid, const char *kind) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/ns/%s", (int)pid, kind);
    return open(path, O_RDONLY | O_CLOEXEC);
}

int ambit_sandbox_make(const struct ambit_sandbox *sandbox, int fds[3], const char **step) {
    int channel[2];
    *step = "socketpair";
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel) != 0) return -1;
    *step = "fork";
    pid_t pid = fork();
    if (pid == 0) {
        close(channel[0]);
        sandbox_child(sandbox, channel[1]);
        struct failure none = {0, NULL};
        char end;
        if (write(channel[1], &none, sizeof none) == sizeof none) {
            // The parent opens our namespaces, then closes its end.
            while (read(channel[1], &end, 1) < 0 && errno == EINTR) continue;
        }
        _exit(0);
    }
    int code = pid < 0 ? errno : 0;
    close(channel[1]);
    if (pid > 0) code = failed(channel[0], step);
    static const char *const kinds[3] = {"net", "mnt", "uts"};
    int opened = 0;
    for (; code == 0 && opened < 3; opened++) {
        fds[opened] = open_namespace(pid, kinds[opened]);
        if (fds[opened] < 0) {
            code = errno;
            *step = "open a namespace in /proc";
            break;
        }
    }
    if (code != 0) {
        while (opened > 0) close(fds[--opened]);
    }
    close(channel[0]);
    if (pid > 0) waitpid(pid, NULL, 0);
    if (code == 0) return 0;
    errno = code;
    return -1;
}

int ambit_poll(const int *fds, const short *events, short *ready, int count, int timeout) {
    enum { most = 512 };
    struct pollfd wanted[most];
    if (count > most) count = most;
    for (int i = 0; i < count; i++) wanted[i] = (struct pollfd){fds[i], events[i], 0};
    int result = poll(wanted, (nfds_t)count, timeout);
    for (int i = 0; i < count; i++) ready[i] = result > 0 ? wanted[i].revents : 0;
    return result;
}

static int abstract_socket(const char *name, struct sockaddr_un *address, socklen_t *length) {
    size_t size = strlen(name);
    if (size == 0 || size > sizeof address->sun_path - 1) {
        errno = EINVAL;
        return -1;
    }
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path + 1, name, size);
    *length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + size);
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

int ambit_abstract_bind(const char *name) {
    struct sockaddr_un address;
    socklen_t length;
    int fd = abstract_socket(name, &address, &length);
    if (fd < 0) return -1;
    if (bind(fd, (struct sockaddr *)&address, length) == 0 &&
        fcntl(fd, F_SETFL, O_NONBLOCK) == 0)
        return fd;
    int code = errno;
    close(fd);
    errno = code;
    return -1;
}

int ambit_abstract_connect(const char *name) {
    struct sockaddr_un address;
    socklen_t length;
    int fd = abstract_socket(name, &address, &length);
    if (fd < 0) return -1;
    if (connect(fd, (struct sockaddr *)&address, length) == 0) return fd;
    int code = errno;
    close(fd);
    errno = code;
    return -1;
}

int ambit_peer(int fd, int *pid, unsigned *uid) {
    struct ucred peer;
    socklen_t length = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return -1;
    *pid = peer.pid;
    *uid = peer.uid;
    return 0;
}

int ambit_pidfd_open(int pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

int ambit_reap(int *code) {
    int status;
    pid_t pid = waitpid(-1, &status, WNOHANG);
    if (pid <= 0) return pid;
    *code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return pid;
}

int ambit_packet_socket(unsigned interface) {
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    int size = 64 << 20;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
    struct sockaddr_ll address = {.sll_family = AF_PACKET,
                                  .sll_protocol = htons(ETH_P_ALL),
                                  .sll_ifindex = (int)interface};
    if (bind(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
    int code = errno;
    close(fd);
    errno = code;
    return -1;
}

ssize_t ambit_packet_receive(int fd, void *bytes, size_t length, int *sent, unsigned *interface) {
    struct sockaddr_ll source;
    struct iovec part = {bytes, length};
    struct msghdr message = {.msg_name = &source,
                             .msg_namelen = sizeof source,
                             .msg_iov = &part,
                             .msg_iovlen = 1};
    ssize_t got = recvmsg(fd, &message, MSG_TRUNC);
    if (got < 0) return -1;
    *sent = source.sll_pkttype == PACKET_OUTGOING;
    *interface = (unsigned)source.sll_ifindex;
    return got;
}

int64_t ambit_packet_drops(int fd) {
    struct tpacket_stats statistics;
    socklen_t length = sizeof statistics;
    if (getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &statistics, &length) != 0) return -1;
    return statistics.tp_drops;
}

int ambit_file_identity(const char *path, uint64_t *device, uint64_t *inode) {
    struct stat status;
    if (stat(path, &status) != 0) return -1;
    *device = status.st_dev;
    *inode = status.st_ino;
    return 0;
}
