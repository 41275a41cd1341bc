// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "memory/pool.h"
#include "proto/filemem.pb-c.h"

#include <stdbool.h>

struct request;

/* The operations on memory, as in rpc.h: validate, one call into the pool, fill the result. */
int handle_ping(
        struct request *request, const Filemem__Operation *operation, Filemem__Result *result);
int handle_allocate(
        struct request *request, const Filemem__Operation *operation, Filemem__Result *result);
/* The result of an allocation that was done before. */
int recall_allocate(struct request *request, struct range range, Filemem__Result *result);
bool allocate_takes_long(const struct request *request, const Filemem__Operation *operation);
void begin_allocate(struct request *request, const Filemem__Operation *operation);
int finish_allocate(struct request *request, int job_result, Filemem__Result *result);
int handle_incref(
        struct request *request, const Filemem__Operation *operation, Filemem__Result *result);
int handle_decref(
        struct request *request, const Filemem__Operation *operation, Filemem__Result *result);
int handle_usage(
        struct request *request, const Filemem__Operation *operation, Filemem__Result *result);

void begin_decommit(struct request *request, const Filemem__Operation *operation);
int finish_decommit(struct request *request, int job_result, Filemem__Result *result);
void begin_update_usage(struct request *request, const Filemem__Operation *operation);
int finish_update_usage(struct request *request, int job_result, Filemem__Result *result);
