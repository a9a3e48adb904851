/* SPDX-License-Identifier: MIT */
/* netlink_internal.h - what the netlink_*.c share; nobody else includes this */
#ifndef SIXTAP_HOST_NETLINK_INTERNAL_H
#define SIXTAP_HOST_NETLINK_INTERNAL_H

#include <libmnl/libmnl.h>

#include "proto/host/netlink.h"

/* the kernel makes its dump messages at most this long */
#define NL_RX_LEN 32768u

/* nl_begin() - start a request in the one buffer of @nl */
struct nlmsghdr *nl_begin(struct nl *nl, int type, int flags);

/* what is done with each message of an answer */
typedef void nl_each_fn(const struct nlmsghdr *nlh, void *arg);

/* nl_talk() - send what nl_begin() started, hand each message of the answer to @each
 * @each: NULL for requests that change something; those are counted
 * Return: 0; -errno with nl_error() set; -EINTR the dump was torn by a change, ask again */
int nl_talk(struct nl *nl, nl_each_fn *each, void *arg);

/* nl_fail() - set nl_error() to the meaning of @err and @why (or NULL); returns @err */
int nl_fail(struct nl *nl, int err, const char *why);

/* nl_attr_first(), nl_attr_more() - attributes behind a family header of @off octets; libmnl's own
 * loop is not clean under -Wconversion: for (a = nl_attr_first(nlh, off); nl_attr_more(a, nlh); a =
 * mnl_attr_next(a)) */
static inline const struct nlattr *nl_attr_first(const struct nlmsghdr *nlh, size_t off)
{
    return mnl_nlmsg_get_payload_offset(nlh, off);
}

static inline bool nl_attr_more(const struct nlattr *a, const struct nlmsghdr *nlh)
{
    const char *end = mnl_nlmsg_get_payload_tail(nlh);

    return mnl_attr_ok(a, (int)(end - (const char *)a));
}

/* nl_parse_route() - an RTM_NEWROUTE or RTM_DELROUTE message of IPv6 */
struct nl_route nl_parse_route(const struct nlmsghdr *nlh);

/* nl_parse_link() - an RTM_NEWLINK or RTM_DELLINK message into *ret */
void nl_parse_link(const struct nlmsghdr *nlh, struct nl_link *ret);

#endif
