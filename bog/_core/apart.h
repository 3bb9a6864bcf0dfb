/*
 * What is seldom done stays apart: the return type of a function that the compiler may not put into
 * its caller, so that the usual path stays short and keeps its registers.
 */
#ifndef BOG_APART_H
#define BOG_APART_H

#include <stdint.h>

#define BOG_APART_VOID __attribute__((noinline)) void
#define BOG_APART_NS __attribute__((noinline)) int64_t
#define BOG_APART_PX __attribute__((noinline)) int64_t
#define BOG_APART_INT __attribute__((noinline)) int

#endif
