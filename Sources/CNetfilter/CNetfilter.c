#include <nftables/libnftables.h>

#include "CNetfilter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

const uint16_t ambit_IFLA_IFNAME = IFLA_IFNAME, ambit_IFLA_NET_NS_FD = IFLA_NET_NS_FD,
               ambit_IFLA_LINKINFO = IFLA_LINKINFO, ambit_IFLA_INFO_KIND = IFLA_INFO_KIND,
               ambit_IFLA_INFO_DATA = IFLA_INFO_DATA, ambit_IFLA_MASTER = IFLA_MASTER,
               ambit_IFLA_MTU = IFLA_MTU, ambit_IFLA_ADDRESS = IFLA_ADDRESS,
               ambit_VETH_INFO_PEER = VETH_INFO_PEER, ambit_IFA_LOCAL = IFA_LOCAL,
               ambit_IFA_ADDRESS = IFA_ADDRESS, ambit_IFA_FLAGS = IFA_FLAGS,
               ambit_RTA_DST = RTA_DST, ambit_RTA_GATEWAY = RTA_GATEWAY,
               ambit_RTA_OIF = RTA_OIF, ambit_RTA_TABLE = RTA_TABLE,
               ambit_RTA_PREFSRC = RTA_PREFSRC, ambit_FRA_PRIORITY = FRA_PRIORITY,
               ambit_FRA_FWMARK = FRA_FWMARK, ambit_FRA_FWMASK = FRA_FWMASK,
               ambit_FRA_TABLE = FRA_TABLE, ambit_NLMSGERR_ATTR_MSG = NLMSGERR_ATTR_MSG;
const uint16_t ambit_RTM_NEWLINK = RTM_NEWLINK, ambit_RTM_DELLINK = RTM_DELLINK,
               ambit_RTM_GETLINK = RTM_GETLINK, ambit_RTM_NEWADDR = RTM_NEWADDR,
               ambit_RTM_GETADDR = RTM_GETADDR, ambit_RTM_NEWROUTE = RTM_NEWROUTE,
               ambit_RTM_DELROUTE = RTM_DELROUTE, ambit_RTM_GETROUTE = RTM_GETROUTE,
               ambit_RTM_NEWRULE = RTM_NEWRULE, ambit_RTM_DELRULE = RTM_DELRULE,
               ambit_RTM_GETRULE = RTM_GETRULE;
const uint32_t ambit_IFF_UP = IFF_UP, ambit_IFA_F_NODAD = IFA_F_NODAD;

struct mnl_socket *ambit_route_socket(void) {
    return mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
}

int ambit_network_namespace(void) {
    int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    if (home < 0) return -1;
    int made = -1;
    if (unshare(CLONE_NEWNET) == 0) {
        made = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
        int code = errno;
        if (setns(home, CLONE_NEWNET) != 0) abort();
        errno = code;
    }
    int code = errno;
    close(home);
    errno = code;
    return made;
}

ssize_t ambit_receive_redirected(int socket, void *bytes, size_t length,
                                 struct sockaddr_storage *source,
                                 struct sockaddr_storage *original) {
    struct iovec part = {bytes, length};
    union {
        char room[256];
        struct cmsghdr align;
    } control;
    struct msghdr message = {.msg_name = source,
                             .msg_namelen = sizeof *source,
                             .msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.room,
                             .msg_controllen = sizeof control.room};
    memset(original, 0, sizeof *original);
    ssize_t got = recvmsg(socket, &message, MSG_TRUNC | MSG_DONTWAIT);
    if (got < 0) return -1;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header != NULL;
         header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_ORIGDSTADDR) {
            memcpy(original, CMSG_DATA(header), sizeof(struct sockaddr_in));
        } else if (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_ORIGDSTADDR) {
            memcpy(original, CMSG_DATA(header), sizeof(struct sockaddr_in6));
        }
    }
    return got;
}

struct nft_call {
    const char *commands;
    char **listing, **message;
    int result;
};

static void *nft_run(void *argument) {
    struct nft_call *call = argument;
    // A table of descriptors of this thread's own, with the standard three. Where the kernel has no
    // such call (before 5.9), the library still works below descriptor 1024.
    syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_UNSHARE);
    struct nft_ctx *context = nft_ctx_new(NFT_CTX_DEFAULT);
    if (!context) return NULL;
    if (nft_ctx_buffer_output(context) == 0 && nft_ctx_buffer_error(context) == 0) {
        nft_ctx_output_set_flags(context, NFT_CTX_OUTPUT_NUMERIC_ALL |
                                              (call->listing ? NFT_CTX_OUTPUT_STATELESS : 0));
        call->result = nft_run_cmd_from_buffer(context, call->commands) == 0 ? 0 : -1;
        const char *said = nft_ctx_get_error_buffer(context);
        *call->message = strdup(said ? said : "");
        if (call->listing && call->result == 0) {
            const char *text = nft_ctx_get_output_buffer(context);
            *call->listing = strdup(text ? text : "");
        }
    }
    nft_ctx_free(context);
    return NULL;
}

int ambit_nft_run(const char *commands, char **listing, char **message) {
    if (listing) *listing = NULL;
    *message = NULL;
    struct nft_call call = {commands, listing, message, -1};
    pthread_t thread;
    if (pthread_create(&thread, NULL, nft_run, &call) != 0) return -1;
    pthread_join(thread, NULL);
    return call.result;
}

int ambit_nft_generation(int socket, uint32_t *generation) {
    struct {
        struct nlmsghdr header;
        struct nfgenmsg family;
    } request = {
        .header = {.nlmsg_len = sizeof request,
                   .nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN,
                   .nlmsg_flags = NLM_F_REQUEST},
        .family = {.nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0},
    };
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    if (sendto(socket, &request, sizeof request, 0, (struct sockaddr *)&kernel, sizeof kernel) < 0)
        return -1;
    union {
        char bytes[4096];
        struct nlmsghdr align;
    } answer;
    ssize_t got;
    do {
        got = recv(socket, &answer, sizeof answer, 0);
    } while (got < 0 && errno == EINTR);
    if (got < 0) return -1;
    const struct nlmsghdr *header = &answer.align;
    if (!mnl_nlmsg_ok(header, (int)got)) return errno = EBADMSG, -1;
    if (header->nlmsg_type == NLMSG_ERROR) {
        const struct nlmsgerr *error = mnl_nlmsg_get_payload(header);
        errno = mnl_nlmsg_get_payload_len(header) >= sizeof *error ? -error->error : EBADMSG;
        return -1;
    }
    const struct nlattr *attribute;
    mnl_attr_for_each(attribute, header, sizeof(struct nfgenmsg)) {
        if (mnl_attr_get_type(attribute) != NFTA_GEN_ID ||
            mnl_attr_get_payload_len(attribute) != sizeof *generation)
            continue;
        // The kernel writes it in network order.
        *generation = ntohl(mnl_attr_get_u32(attribute));
        return 0;
    }
    return errno = EBADMSG, -1;
}

int ambit_nft_socket(void) {
    return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
}
