/* SPDX-License-Identifier: MIT */
/* fuzz.h - what every fuzz target shares: a bounded reader of the input, checks that abort
 *
 * DOC: a target is one file with LLVMFuzzerTestOneInput(). Linked with libFuzzer it searches;
 * linked with main_corpus.c it runs the files of its corpus, as a test. The input is a script where
 * raw octets would get nowhere: the target reads choices from it (feed_*), puts lengths, checksums
 * and counters right where the input asks for that, and checks afterwards what must hold for any
 * input.
 */
#ifndef SIXTAP_TESTS_FUZZ_H
#define SIXTAP_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FUZZ_N(a) (sizeof(a) / sizeof((a)[0]))

/* The target, called once per input. Return: 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* fuzz_setup() - libsodium, and asserts of cmocka that end the process; cheap to call again */
void fuzz_setup(void);

/* fuzz_fail() - print and abort, so that the fuzzer keeps the input */
void fuzz_fail(const char *file, int line, const char *what) __attribute__((noreturn));
#define FUZZ_CHECK(cond)                                                                           \
    do {                                                                                           \
        if (!(cond))                                                                               \
            fuzz_fail(__FILE__, __LINE__, #cond);                                                  \
    } while (0)

/* What is left of the input; at its end everything reads as zero. */
struct feed {
    const uint8_t *p;
    size_t left;
};

uint8_t feed_u8(struct feed *f);
uint16_t feed_u16(struct feed *f);
uint32_t feed_u32(struct feed *f);

/* feed_below() - 0..@n - 1 from one octet; @n 1..256 */
unsigned feed_below(struct feed *f, unsigned n);

/* feed_bytes() - @n octets to @to, zeros where the input ends */
void feed_bytes(struct feed *f, void *to, size_t n);

/* feed_chunk() - a length of two octets, then as many octets (at most @cap and what is left) to @to
 * Return: how many */
size_t feed_chunk(struct feed *f, uint8_t *to, size_t cap);

/* fuzz_exact() - a copy in an allocation of exactly its length, so that a step past the end is
 * seen; freed by the caller */
uint8_t *fuzz_exact(const uint8_t *p, size_t len);

#endif
