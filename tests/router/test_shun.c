/* SPDX-License-Identifier: MIT */
/* test_shun.c - the list of what is not even to be received (H53) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "rig.h"
#include "router/shun.h"

static bool has(const struct shun *s, uint32_t slot, uint32_t index, enum wire_kind kind)
{
    for (unsigned i = 0; i < s->n; i++) {
        if (s->who[i].slot == slot && s->who[i].index == index && s->who[i].kind == kind)
            return true;
    }
    return false;
}

static void H53_list(void **state)
{
    struct shun s = { .n = 0 };

    (void)state;
    assert_false(shun_changed(&s));
    assert_true(shun_add(&s, 1, 100, KIND_MULTICAST));
    assert_true(shun_changed(&s));
    assert_false(shun_changed(&s));
    assert_false(shun_add(&s, 1, 100, KIND_MULTICAST)); /* known: nothing to tell the kernel */
    assert_false(shun_changed(&s));
    assert_true(shun_add(&s, 1, 100, KIND_PEER));
    assert_true(shun_add(&s, 1, 101, KIND_PEER)); /* another keypair of it */
    assert_true(shun_add(&s, 2, 102, KIND_PEER));
    assert_true(shun_changed(&s));
    shun_forgive(&s, 3);
    assert_false(shun_changed(&s));
    shun_forgive(&s, 1);
    assert_true(shun_changed(&s));
    assert_int_equal(s.n, 1);
    assert_true(has(&s, 2, 102, KIND_PEER));
    for (uint32_t i = 1; i < SHUN_MAX; i++)
        assert_true(shun_add(&s, 10 + i, 200 + i, KIND_HOST));
    assert_true(shun_changed(&s));
    assert_false(shun_add(&s, 99, 999, KIND_HOST)); /* no room */
    assert_false(shun_changed(&s));
    shun_forgive(&s, 2);
    assert_true(shun_add(&s, 99, 999, KIND_HOST));
}

/* Beside a table of what is in and what is not. */
static void H53_random(void **state)
{
    enum { SLOTS = 6, INDICES = 3, KINDS = 3 };
    bool in[SLOTS][INDICES][KINDS] = { { { false } } };
    struct shun s = { .n = 0 };
    unsigned n = 0;

    (void)state;
    srandom(7);
    for (unsigned round = 0; round < rig_rounds(20000); round++) {
        uint32_t slot = (uint32_t)random() % SLOTS, i = (uint32_t)random() % INDICES;
        unsigned k = (unsigned)random() % KINDS, before = n;
        if (random() % 8) {
            bool fits = !in[slot][i][k] && n < SHUN_MAX;
            assert_int_equal(shun_add(&s, slot, 10 * slot + i, (enum wire_kind)(k + 1)), fits);
            in[slot][i][k] = in[slot][i][k] || fits;
            n += fits;
        } else {
            for (unsigned x = 0; x < INDICES * KINDS; x++) {
                bool *was = &in[slot][x / KINDS][x % KINDS];
                n -= *was;
                *was = false;
            }
            shun_forgive(&s, slot);
        }
        assert_int_equal(s.n, n);
        assert_int_equal(shun_changed(&s), n != before);
        for (slot = 0; slot < SLOTS; slot++) {
            for (unsigned x = 0; x < INDICES * KINDS; x++)
                assert_int_equal(
                    has(&s, slot, 10 * slot + x / KINDS, (enum wire_kind)(x % KINDS + 1)),
                    in[slot][x / KINDS][x % KINDS]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(H53_list),
        cmocka_unit_test(H53_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
