// What Swift's Glibc module does not import of Linux: GNU functions, macros, packed structs.
//
// Included without _GNU_SOURCE, as Glibc's own module is, so that both see the same types; what
// needs it stands in CLinux.c.
#ifndef AMBIT_CLINUX_H
#define AMBIT_CLINUX_H
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "Processes.h"

// Constants whose C type imports as an enum or not at all, as plain integers.
extern const uint32_t ambit_EPOLLIN, ambit_EPOLLOUT, ambit_EPOLLRDHUP, ambit_EPOLLHUP,
    ambit_EPOLLERR, ambit_EPOLLET, ambit_EPOLLEXCLUSIVE;
extern const int32_t ambit_EPOLL_CTL_ADD, ambit_EPOLL_CTL_MOD, ambit_EPOLL_CTL_DEL;
extern const int32_t ambit_SOCK_STREAM, ambit_SOCK_DGRAM, ambit_SOCK_RAW, ambit_SOCK_SEQPACKET,
    ambit_SOCK_NONBLOCK, ambit_SOCK_CLOEXEC;
extern const int32_t ambit_CLONE_NEWNET, ambit_CLONE_NEWNS, ambit_CLONE_NEWPID,
    ambit_CLONE_NEWUTS, ambit_CLONE_NEWIPC;
extern const uint64_t ambit_MS_REC, ambit_MS_PRIVATE, ambit_MS_BIND, ambit_MS_NOSUID,
    ambit_MS_NODEV, ambit_MS_NOEXEC, ambit_MS_RDONLY, ambit_MS_REMOUNT;
extern const int32_t ambit_MNT_DETACH;
extern const uint32_t ambit_SPLICE_F_MOVE, ambit_SPLICE_F_NONBLOCK, ambit_SPLICE_F_MORE;
extern const uint32_t ambit_IN_CLOSE_WRITE, ambit_IN_MOVED_TO, ambit_IN_CREATE, ambit_IN_DELETE;
extern const uint32_t ambit_IN_MOVED_FROM;

// epoll: the event struct is packed, so Swift sees it through these two parallel arrays.
int ambit_epoll_create(void);
int ambit_epoll_ctl(int epoll, int operation, int fd, uint32_t events, uint64_t token);
// Waits; fills tokens[i] and events[i]. capacity is at most 1024. timeout in milliseconds, -1 none.
int ambit_epoll_wait(int epoll, uint64_t *tokens, uint32_t *events, int capacity, int timeout);

// Hidden by Glibc's module map or behind _GNU_SOURCE.
int ambit_accept4(int fd, struct sockaddr *address, socklen_t *length);
ssize_t ambit_splice(int in, int out, size_t count, uint32_t flags);
int ambit_pipe2(int fds[2]);
int ambit_pipe_size(int fd, int bytes);
int ambit_setns(int fd, int kind);
int ambit_unshare(int flags);
int ambit_eventfd(void);
int ambit_timerfd(void);
// Arms the timer at an absolute monotonic time in nanoseconds; 0 disarms it.
int ambit_timerfd_arm(int fd, uint64_t at);
// A descriptor that reads as signalfd_siginfo for the two signals; both are blocked first.
int ambit_signalfd(const int *signals, int count);
// Reads one signal number from a signalfd; -1 and errno when none waits.
int ambit_signal_read(int fd);
int ambit_inotify(void);
int ambit_inotify_add(int fd, const char *path, uint32_t mask);
uint64_t ambit_monotonic(void);
uint64_t ambit_realtime(void);
// Variadic in C.
int ambit_open(const char *path, int flags, unsigned mode);
int ambit_thread_name(const char *name);
// fork and exec are marked unavailable in Swift.
int ambit_fork(void);
int ambit_execvpe(const char *file, char *const argv[], char *const envp[]);
int ambit_mount(const char *source, const char *target, const char *type, uint64_t flags,
                const char *data);
int ambit_umount(const char *target, int flags);
// Raises the soft limit of open files to the hard one; returns what is in force now, or -1.
int64_t ambit_raise_open_files(void);
int64_t ambit_open_files_limit(void);
// sched_setattr(2) of the calling thread, inherited by those it starts: SCHED_OTHER with this nice
// value and this slice (since Linux 6.12; not looked at before). 0, or -1.
int ambit_set_schedule(int nice, uint64_t slice_nanoseconds);
// glibc's malloc_trim(0): gives free heap pages back to the system.
int ambit_malloc_trim(void);
// Lets go of the read-only pages of the program and its libraries; what is used again is mapped
// again from the page cache. Only for programs without text relocations, which ours are.
void ambit_release_program_pages(void);

// Sends and receives with ancillary data: CMSG_* are macros.
// Sends the bytes with descriptors attached (count at most 16).
ssize_t ambit_send_fds(int socket, const void *bytes, size_t length, const int *fds, int count);
// Receives bytes and descriptors; *count holds the room (at most 16) and then the number taken.
// Surplus descriptors are closed; returns -1 with EMSGSIZE when the message was cut.
ssize_t ambit_recv_fds(int socket, void *bytes, size_t length, int *fds, int *count);
#endif
