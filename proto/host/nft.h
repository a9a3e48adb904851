/* SPDX-License-Identifier: MIT */
/* nft.h - one table of our own in the kernel's packet filter (nftables, family ip6)
 *
 * DOC: the table is owned (flags owner): the kernel ties it to the netlink socket that made it.
 * Nobody else can change or flush it, and it goes when the socket does, also after kill -9. So
 * there is nothing to sweep at a start and no privilege needed at the end. All of it is replaced in
 * one transaction: there is no moment without rules.
 *
 * This is set-up, not the packet path: libnftables allocates, parses text and talks to the kernel.
 */
#ifndef SIXTAP_HOST_NFT_H
#define SIXTAP_HOST_NFT_H

#include <stddef.h>

#define NFT_NAME_MAX 47 /* octets of a table's name */

struct nft;

/* nft_open() - ready to make table ip6 @name; nothing is in the kernel yet
 * @name: a letter, then letters, digits, . _ -, at most NFT_NAME_MAX; copied
 * @ret:  untouched on failure; free with nft_close(), which takes the table away
 * Return: 0; -EINVAL bad name; -EPROTONOSUPPORT a kernel without nftables; -EMFILE; -ENOMEM */
int nft_open(const char *name, struct nft **ret);

/* nft_replace() - the table holds @chains and nothing else from now on; on failure what was there
 * stays
 * @chains: chain declarations as nft(8) writes them, each statement on a line of its own
 * Return: 0; -EPERM no CAP_NET_ADMIN; -EEXIST the table belongs to another process; -ENOTSUP this
 * kernel cannot; nft_error() has the words */
int nft_replace(struct nft *nft, const char *chains);

/* nft_error() - why the last call failed, one line; good until the next call */
const char *nft_error(const struct nft *nft);

/* nft_close() - NULL is fine */
void nft_close(struct nft *nft);

/* nft_ruleset() - everything the packet filter holds, as `nft list ruleset` prints it (its JSON
 * form reads past an array for owned tables in nftables 1.0.6); asked for by a child process,
 * because libnftables ends its process when it is out of memory. Before there are threads.
 * @ret: NUL-terminated, free(); untouched on failure
 * Return: 0; -EPERM; -ENOMEM; -EIO when it could not be listed */
int nft_ruleset(char **ret);

#endif
