/* What the files of the native part share. */

#ifndef VPCFLOW_NATIVE_H
#define VPCFLOW_NATIVE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "words are read as little-endian"
#endif

#define EXPORT __attribute__((visibility("default")))

#endif
