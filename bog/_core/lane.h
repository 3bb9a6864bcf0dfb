/*
 * The memory of one lane: an engine and all that its turn touches, in one allocation.
 *
 * Owner: lane.pyx. What each turn needs stands first, what few turns need far behind it.
 */
#ifndef BOG_LANE_H
#define BOG_LANE_H

#include "calibrate.h"
#include "depth.h"
#include "engine_state.h"
#include "measure.h"
#include "portfolio.h"
#include "types.h"

typedef struct bog_lane_memory {
    bog_row_t row;       /* of a feed in shared memory: read and not taken yet */
    bog_record_t record; /* shown to the engine */
    bog_engine_t engine;
    bog_out_t out;
    bog_share_t share; /* of the limit over all lanes */
    bog_depth_t depth; /* the whole book; the paper venue works in it */
    bog_measure_memory_t measure;
    bog_calibration_t calibration; /* what A and k of the strategy are fitted to */
} bog_lane_memory_t;

/* What a lane says of itself when it is asked to go on; from 0 on it has ended by that exit code. */
enum bog_lane_answer {
    BOG_LANE_GOES_ON = -1,
    BOG_LANE_LOOK = -2, /* something changed: look again at what is due */
};

/* Why a run ended. */
enum bog_lane_end {
    BOG_END_DATA = 0,
    BOG_END_DURATION = 1,
    BOG_END_SIGNAL = 2,
};

/* What failed. */
enum bog_lane_failure {
    BOG_FAILED_NOTHING = 0,
    BOG_FAILED_JOURNAL = 1,
    BOG_FAILED_FEED = 2,
    BOG_FAILED_EXECUTOR = 3,
};

#endif
