# SPDX-License-Identifier: MIT
# package.cmake - units, samples and snippets that `ninja install` and the package share, and the Debian package itself
#
#   ninja -C build && (cd build && cpack)        build/sixtap_VERSION_ARCH.deb; needs dpkg-dev and file
#
# Units go below the prefix: systemd looks in /usr/local/lib as in /usr/lib, and finds the programs in its own path. What
# has its one place in /etc or is read below /usr alone is the package's only: component `debian`, which `ninja install`
# leaves out. tests/package.list is the list of what the package holds, mode by mode; a test compares.
install(FILES conf/sixtap-router.service conf/sixtap-client@.service DESTINATION lib/systemd/system)
install(FILES conf/router.yaml conf/client.yaml DESTINATION share/doc/sixtap/examples)
install(FILES README.md proto/PROTOCOL.md DESTINATION share/doc/sixtap)

set(NOT_INSTALLED COMPONENT debian EXCLUDE_FROM_ALL)
# The directory is the package's, what is in it the operator's: keys, so nobody else looks in.
install(DIRECTORY DESTINATION /etc/sixtap DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ
        GROUP_EXECUTE ${NOT_INSTALLED})
# `ip route` of Debian 12 reads these names in /etc alone; this is the one configuration file of the package.
install(FILES conf/rt_protos RENAME sixtap.conf DESTINATION /etc/iproute2/rt_protos.d ${NOT_INSTALLED})
# the tunnel's devices are left alone by other managers
install(FILES conf/NetworkManager-sixtap.conf RENAME sixtap.conf DESTINATION lib/NetworkManager/conf.d ${NOT_INSTALLED})
install(FILES conf/networkd/10-sixtap.network DESTINATION lib/systemd/network ${NOT_INSTALLED})
install(FILES LICENSE RENAME copyright DESTINATION share/doc/sixtap ${NOT_INSTALLED})
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/debian)
add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/debian/changelog.gz
                   COMMAND gzip -9nc ${CMAKE_SOURCE_DIR}/conf/debian/changelog > ${CMAKE_BINARY_DIR}/debian/changelog.gz
                   DEPENDS ${CMAKE_SOURCE_DIR}/conf/debian/changelog VERBATIM)
add_custom_target(changelog ALL DEPENDS ${CMAKE_BINARY_DIR}/debian/changelog.gz)
install(FILES ${CMAKE_BINARY_DIR}/debian/changelog.gz DESTINATION share/doc/sixtap ${NOT_INSTALLED})

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME sixtap)
set(CPACK_PACKAGE_VERSION ${SIXTAP_VERSION})
set(CPACK_PACKAGE_CONTACT "The SixTap developers <sixtap@sixtap.invalid>")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "IPv6 for hosts whose provider has none")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION "An encrypted UDP tunnel from hosts with nothing but IPv4, also behind NAT, to
a router with a public IPv4 address. Clients get a TAP device with a working
IPv6 address, reach each other directly through the router, and the rest of
the world through its uplink.
.
The package has both programs, sixtap-router and sixtap-client. Nothing runs
until there is a configuration: sixtap-router init.")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${CMAKE_SOURCE_DIR}/conf/debian/postinst ${CMAKE_SOURCE_DIR}/conf/debian/prerm
    ${CMAKE_SOURCE_DIR}/conf/debian/postrm ${CMAKE_SOURCE_DIR}/conf/debian/conffiles)
set(CPACK_STRIP_FILES ON)
# absolute places, /etc, go into the package and not onto this host
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
# one package of all components; modes are those written here, whatever the umask
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING ALL_COMPONENTS_IN_ONE)
set(CPACK_COMPONENTS_ALL Unspecified debian)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ
    WORLD_EXECUTE)
include(CPack)
