/* SPDX-License-Identifier: MIT */
/* secret.h - keys as text: base64 of 32 octets, in a file nobody else may read
 *
 * DOC: text is RFC 4648 base64 with padding, 44 characters, canonical: one key has one text. A file
 * holds one line, its newline may be missing. What was read is wiped wherever it was; error texts
 * name the file and the reason, never the content.
 *
 * Standards: RFC 4648 4, 3.5.
 */
#ifndef SIXTAP_HOST_SECRET_H
#define SIXTAP_HOST_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/addr.h"

#define KEY_TEXT_LEN 45 /* with the final NUL */

/* key_to_text() - @key (32 octets) as 44 characters and a NUL at @out (KEY_TEXT_LEN octets) */
void key_to_text(char *out, const uint8_t *key);

/* key_from_text() - 32 octets at @key from exactly @len characters at @text
 * Return: false when it is not the canonical base64 of 32 octets; @key is untouched then */
bool key_from_text(uint8_t *key, const char *text, size_t len);

/* secret_read_file() - read a private key or PSK
 * Refused: a missing or empty file, anything that is no regular file (symbolic links are followed
 * first), a file others may read or write (mode & 077), or that belongs to neither root nor this
 * process's user, any content but one key, the all-zero key.
 * @key: 32 octets, untouched on failure; the caller wipes it
 * @err: @err_len octets: one line with the file's name, the reason and what to do
 * Return: 0; -errno */
int secret_read_file(const char *path, uint8_t *key, char *err, size_t err_len);

/* key_from_fd() - read one key from a stream to its end (`sixtap-... pubkey` on stdin); no demands
 * on the file
 * @name: for @err, e.g. "standard input"
 * Return: 0; -errno */
int key_from_fd(int fd, const char *name, uint8_t *key, char *err, size_t err_len);

/* secret_lock() - keep @len octets, and what else lies on their pages, out of swap and core dumps;
 * a page is locked when it is touched, so that tables cost what is used of them
 * Return: 0; -ENOMEM, -EPERM: RLIMIT_MEMLOCK does not allow it; -errno */
int secret_lock(void *p, size_t len);

/* secret_unlock() - wipe them and undo it for all of their pages */
void secret_unlock(void *p, size_t len);

#endif
