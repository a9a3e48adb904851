/* SPDX-License-Identifier: MIT */
/* seal_tests.h - the tests of seal, for whichever providers are set */
#ifndef TESTS_PROTO_SEAL_TESTS_H
#define TESTS_PROTO_SEAL_TESTS_H

/* seal_tests_run() - run them all as the group @name; sodium_init() has been called
 * Return: how many failed. */
int seal_tests_run(const char *name);

#endif
