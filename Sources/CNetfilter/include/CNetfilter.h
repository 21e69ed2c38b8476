// What Swift needs of libmnl, rtnetlink and libnftables.
//
// libmnl.h and the kernel's uapi headers import as they are. libnftables.h defines _GNU_SOURCE,
// which must not happen in a header that Swift reads beside Glibc's module, so its few functions
// stand behind these shims.
#ifndef AMBIT_CNETFILTER_H
#define AMBIT_CNETFILTER_H
#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <stdint.h>
#include <sys/socket.h>

// An enum whose names only exist as casts or as macros over enumerators.
extern const uint16_t ambit_IFLA_IFNAME, ambit_IFLA_NET_NS_FD, ambit_IFLA_LINKINFO,
    ambit_IFLA_INFO_KIND, ambit_IFLA_INFO_DATA, ambit_IFLA_MASTER, ambit_IFLA_MTU,
    ambit_IFLA_ADDRESS, ambit_VETH_INFO_PEER, ambit_IFA_LOCAL, ambit_IFA_ADDRESS,
    ambit_IFA_FLAGS, ambit_RTA_DST, ambit_RTA_GATEWAY, ambit_RTA_OIF, ambit_RTA_TABLE,
    ambit_RTA_PREFSRC, ambit_FRA_PRIORITY, ambit_FRA_FWMARK, ambit_FRA_FWMASK,
    ambit_FRA_TABLE, ambit_NLMSGERR_ATTR_MSG;
extern const uint16_t ambit_RTM_NEWLINK, ambit_RTM_DELLINK, ambit_RTM_GETLINK,
    ambit_RTM_NEWADDR, ambit_RTM_GETADDR, ambit_RTM_NEWROUTE, ambit_RTM_DELROUTE,
    ambit_RTM_GETROUTE, ambit_RTM_NEWRULE, ambit_RTM_DELRULE, ambit_RTM_GETRULE;
extern const uint32_t ambit_IFF_UP, ambit_IFA_F_NODAD;

// mnl_socket_open2 with SOCK_CLOEXEC, which Swift sees as an enum of its own.
struct mnl_socket *ambit_route_socket(void);

// Makes a network namespace that lives while the returned descriptor (or a socket, process or
// mount in it) does; the calling thread is back where it was. -1 and errno on failure; a thread
// that cannot return ends the process.
int ambit_network_namespace(void);

// Receives a datagram with the address it was sent to before TPROXY (IP_RECVORIGDSTADDR): CMSG_*
// are macros. *original is of family 0 when the kernel gave none. Returns the datagram's whole
// length, which may be more than fits.
ssize_t ambit_receive_redirected(int socket, void *bytes, size_t length,
                                 struct sockaddr_storage *source,
                                 struct sockaddr_storage *original);

// Runs a buffer of nft commands as one transaction in the calling thread's network namespace,
// without reading or writing files.
//
// The library waits with select(2), which ends the process at a descriptor of 1024 or more. So it
// runs in a short-lived thread with a table of descriptors of its own.
//
// Returns 0, or -1 with the library's words in *message (NULL when out of memory). With a
// non-NULL listing what the commands print goes there. Both strings are the caller's to free().
int ambit_nft_run(const char *commands, char **listing, char **message);

// A socket to ask nftables of the calling thread's network namespace, wherever the thread goes
// later. -1 and errno on failure.
int ambit_nft_socket(void);

// The number of the ruleset that is in force in the socket's namespace; every transaction gives it
// another one. -1 and errno on failure.
int ambit_nft_generation(int socket, uint32_t *generation);
#endif
