/* SPDX-License-Identifier: MIT */
/* port.h - a transport protocol and a port, as in `tcp/22` */
#ifndef SIXTAP_HOST_PORT_H
#define SIXTAP_HOST_PORT_H

#include <stdint.h>

struct conf_port {
    uint8_t protocol; /* IPPROTO_TCP or IPPROTO_UDP */
    uint16_t port;    /* 1..65535 */
};

#endif
