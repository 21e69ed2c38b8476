#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

const uint32_t ambit_EPOLLIN = EPOLLIN, ambit_EPOLLOUT = EPOLLOUT, ambit_EPOLLRDHUP = EPOLLRDHUP,
               ambit_EPOLLHUP = EPOLLHUP, ambit_EPOLLERR = EPOLLERR, ambit_EPOLLET = EPOLLET,
               ambit_EPOLLEXCLUSIVE = EPOLLEXCLUSIVE;
const int32_t ambit_EPOLL_CTL_ADD = EPOLL_CTL_ADD, ambit_EPOLL_CTL_MOD = EPOLL_CTL_MOD,
              ambit_EPOLL_CTL_DEL = EPOLL_CTL_DEL;
const int32_t ambit_SOCK_STREAM = SOCK_STREAM, ambit_SOCK_DGRAM = SOCK_DGRAM,
              ambit_SOCK_RAW = SOCK_RAW, ambit_SOCK_SEQPACKET = SOCK_SEQPACKET,
              ambit_SOCK_NONBLOCK = SOCK_NONBLOCK, ambit_SOCK_CLOEXEC = SOCK_CLOEXEC;
const int32_t ambit_CLONE_NEWNET = CLONE_NEWNET, ambit_CLONE_NEWNS = CLONE_NEWNS,
              ambit_CLONE_NEWPID = CLONE_NEWPID, ambit_CLONE_NEWUTS = CLONE_NEWUTS,
              ambit_CLONE_NEWIPC = CLONE_NEWIPC;
const uint64_t ambit_MS_REC = MS_REC, ambit_MS_PRIVATE = MS_PRIVATE, ambit_MS_BIND = MS_BIND,
               ambit_MS_NOSUID = MS_NOSUID, ambit_MS_NODEV = MS_NODEV,
               ambit_MS_NOEXEC = MS_NOEXEC, ambit_MS_RDONLY = MS_RDONLY,
               ambit_MS_REMOUNT = MS_REMOUNT;
const int32_t ambit_MNT_DETACH = MNT_DETACH;
const uint32_t ambit_SPLICE_F_MOVE = SPLICE_F_MOVE, ambit_SPLICE_F_NONBLOCK = SPLICE_F_NONBLOCK,
               ambit_SPLICE_F_MORE = SPLICE_F_MORE;
const uint32_t ambit_IN_CLOSE_WRITE = IN_CLOSE_WRITE, ambit_IN_MOVED_TO = IN_MOVED_TO,
               ambit_IN_CREATE = IN_CREATE, ambit_IN_DELETE = IN_DELETE,
               ambit_IN_MOVED_FROM = IN_MOVED_FROM;

int ambit_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

int ambit_epoll_ctl(int epoll, int operation, int fd, uint32_t events, uint64_t token) {
    struct epoll_event event = {.events = events, .data = {.u64 = token}};
    return epoll_ctl(epoll, operation, fd, &event);
}

int ambit_epoll_wait(int epoll, uint64_t *tokens, uint32_t *events, int capacity, int timeout) {
    struct epoll_event ready[1024];
    if (capacity > 1024) capacity = 1024;
    int count = epoll_wait(epoll, ready, capacity, timeout);
    for (int i = 0; i < count; i++) {
        tokens[i] = ready[i].data.u64;
        events[i] = ready[i].events;
    }
    return count;
}

int ambit_accept4(int fd, struct sockaddr *address, socklen_t *length) {
    return accept4(fd, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}
ssize_t ambit_splice(int in, int out, size_t count, uint32_t flags) {
    return splice(in, NULL, out, NULL, count, flags);
}
int ambit_pipe2(int fds[2]) { return pipe2(fds, O_NONBLOCK | O_CLOEXEC); }
int ambit_pipe_size(int fd, int bytes) { return fcntl(fd, F_SETPIPE_SZ, bytes); }
int ambit_setns(int fd, int kind) { return setns(fd, kind); }
int ambit_unshare(int flags) { return unshare(flags); }
int ambit_eventfd(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }
int ambit_timerfd(void) { return timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC); }
int ambit_timerfd_arm(int fd, uint64_t at) {
    struct itimerspec spec = {{0, 0}, {(time_t)(at / 1000000000u), (long)(at % 1000000000u)}};
    return timerfd_settime(fd, TFD_TIMER_ABSTIME, &spec, NULL);
}

int ambit_signalfd(const int *signals, int count) {
    sigset_t set;
    sigemptyset(&set);
    for (int i = 0; i < count; i++) sigaddset(&set, signals[i]);
    if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0) return -1;
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}
int ambit_signal_read(int fd) {
    struct signalfd_siginfo info;
    ssize_t got = read(fd, &info, sizeof info);
    if (got != sizeof info) return -1;
    return (int)info.ssi_signo;
}

int ambit_inotify(void) { return inotify_init1(IN_NONBLOCK | IN_CLOEXEC); }
int ambit_inotify_add(int fd, const char *path, uint32_t mask) {
    return inotify_add_watch(fd, path, mask);
}

static uint64_t nanoseconds(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
uint64_t ambit_monotonic(void) { return nanoseconds(CLOCK_MONOTONIC); }
uint64_t ambit_realtime(void) { return nanoseconds(CLOCK_REALTIME); }

int ambit_open(const char *path, int flags, unsigned mode) {
    return open(path, flags | O_CLOEXEC, mode);
}
int ambit_thread_name(const char *name) { return prctl(PR_SET_NAME, name); }
int ambit_fork(void) { return fork(); }
int ambit_execvpe(const char *file, char *const argv[], char *const envp[]) {
    return execvpe(file, argv, envp);
}
int ambit_mount(const char *source, const char *target, const char *type, uint64_t flags,
                const char *data) {
    return mount(source, target, type, flags, data);
}
int ambit_umount(const char *target, int flags) { return umount2(target, flags); }

int64_t ambit_open_files_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return -1;
    return (int64_t)limit.rlim_cur;
}
int64_t ambit_raise_open_files(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return -1;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) return -1;
    return ambit_open_files_limit();
}
// glibc has neither the call nor the structure before 2.41, and linux/sched/types.h clashes with it
// after: this is the first version of the structure, which every kernel takes.
int ambit_set_schedule(int nice, uint64_t slice_nanoseconds) {
    struct {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime, deadline, period;
    } attributes = {
        .size = sizeof attributes,
        .policy = SCHED_OTHER,
        .nice = nice,
        .runtime = slice_nanoseconds,
    };
    return (int)syscall(SYS_sched_setattr, 0, &attributes, 0);
}
int ambit_malloc_trim(void) { return malloc_trim(0); }

static int release_segments(struct dl_phdr_info *object, size_t size, void *unused) {
    (void)size;
    (void)unused;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        // Pages of a writable one may differ from the file.
        if (segment->p_type != PT_LOAD || (segment->p_flags & PF_W) != 0) continue;
        uintptr_t start = object->dlpi_addr + segment->p_vaddr;
        uintptr_t end = (start + segment->p_filesz) & ~(page - 1);
        start = (start + page - 1) & ~(page - 1);
        if (start < end) madvise((void *)start, end - start, MADV_DONTNEED);
    }
    return 0;
}
void ambit_release_program_pages(void) { dl_iterate_phdr(release_segments, NULL); }

enum { descriptors_max = 16 };

ssize_t ambit_send_fds(int socket, const void *bytes, size_t length, const int *fds, int count) {
    if (count < 0 || count > descriptors_max) {
        errno = EINVAL;
        return -1;
    }
    struct iovec part = {(void *)bytes, length};
    union {
        char room[CMSG_SPACE(sizeof(int) * descriptors_max)];
        struct cmsghdr align;
    } control;
    memset(&control, 0, sizeof control);
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (count > 0) {
        message.msg_control = control.room;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)count);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)count);
        memcpy(CMSG_DATA(header), fds, sizeof(int) * (size_t)count);
    }
    return sendmsg(socket, &message, MSG_NOSIGNAL);
}

ssize_t ambit_recv_fds(int socket, void *bytes, size_t length, int *fds, int *count) {
    struct iovec part = {bytes, length};
    union {
        char room[CMSG_SPACE(sizeof(int) * descriptors_max)];
        struct cmsghdr align;
    } control;
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.room,
                             .msg_controllen = sizeof control.room};
    int room = *count, taken = 0;
    *count = 0;
    ssize_t got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    if (got < 0) return -1;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header != NULL;
         header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
        size_t held = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < held; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof fd);
            if (taken < room) {
                fds[taken++] = fd;
            } else {
                close(fd);
            }
        }
    }
    if (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
        while (taken > 0) close(fds[--taken]);
        errno = EMSGSIZE;
        return -1;
    }
    *count = taken;
    return got;
}
