/* Bellows for C: run one trained network at any of its widths. <bellows/bellows.h> has the same for
 * C++, and the words in full.
 *
 *   bellows_model* model = NULL;
 *   bellows_session* session = NULL;
 *   int label;
 *   float confidence;
 *   if (bellows_model_load("lenet.safetensors", NULL, &model) != BELLOWS_OK ||
 *       bellows_session_create(model, NULL, &session) != BELLOWS_OK ||
 *       bellows_session_run(session, image, values, 1) != BELLOWS_OK ||
 *       bellows_session_best(session, 0, &label, &confidence) != BELLOWS_OK) {
 *     report(bellows_last_error());
 *   }
 *   bellows_session_free(session);
 *   bellows_model_free(model);
 *
 * Every function that can fail returns a status, and leaves what it was to write to, and the
 * object, as they were unless said otherwise; bellows_last_error() then tells in one line what was
 * wrong. No C++ exception ever leaves a function. Where an object is wanted, NULL is
 * BELLOWS_INVALID_ARGUMENT. Memory behind a pointer is the caller's, objects excepted, which the
 * caller frees. C99.
 *
 * A thread is not cancelled (pthread_cancel) inside a call.
 *
 * Threads: a model may be used by any number of them at once; a session by one at a time, which is
 * checked: while one runs it, calls of others return BELLOWS_IN_USE.
 */
#ifndef BELLOWS_BELLOWS_C_H_
#define BELLOWS_BELLOWS_C_H_

#include <stddef.h>
#include <stdint.h>

#include <bellows/version.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum bellows_status {
  BELLOWS_OK = 0,
  BELLOWS_INVALID_ARGUMENT = 1, /* an argument that can never work */
  BELLOWS_NOT_FOUND = 2,        /* a file or an output that is not there */
  BELLOWS_CORRUPT_DATA = 3,     /* a file that contradicts its format or its own checksums */
  BELLOWS_IO_ERROR = 4,         /* the operating system refused to read or write */
  BELLOWS_UNSUPPORTED = 5,      /* valid, but not on this machine or in this build */
  BELLOWS_DEADLINE = 6,         /* nothing could be finished in time */
  BELLOWS_IN_USE = 7,           /* another thread is in the middle of a call on this session */
  BELLOWS_OUT_OF_MEMORY = 8,    /* the system has not the memory for it, or not now */
  BELLOWS_INTERNAL_ERROR = 99   /* anything else; a fault of ours */
} bellows_status;

/* "corrupt data"; "unknown status" for a number that is none. Never NULL. */
BELLOWS_API const char* bellows_status_name(bellows_status status);

/* What was wrong with the last call of this thread that failed: one line, valid until the next one
 * that fails. Empty before the first. Never NULL. */
BELLOWS_API const char* bellows_last_error(void);

/* "0.1.0", as the library was built. */
BELLOWS_API const char* bellows_version(void);

/* A trained network: immutable, shared by sessions. */
typedef struct bellows_model bellows_model;
/* Activations and scratch of one thread. */
typedef struct bellows_session bellows_session;

/* Structures begin with their own size, so that later versions can add members at the end and still
 * know those of programs built before. Set it by the initialiser below each of them; a size that no
 * version had is refused. */

typedef struct bellows_model_info {
  size_t struct_bytes;
  int groups; /* widths are 1..groups */
  int classes;
  int image_channels;
  int image_height;
  int image_width;
  size_t image_values; /* product of the three */
} bellows_model_info;
#define BELLOWS_MODEL_INFO_INIT \
  { sizeof(bellows_model_info), 0, 0, 0, 0, 0, 0 }

typedef struct bellows_width {
  size_t struct_bytes;
  int number;                 /* what run takes */
  int64_t parameters;         /* of all groups up to this width, as are the next two */
  int64_t weight_bytes;       /* in the model file */
  int64_t macs;               /* multiply-accumulates for one image */
  double validation_accuracy; /* share of right answers, 0..1; negative: the file does not tell */
  double test_accuracy;       /* the same */
} bellows_width;
#define BELLOWS_WIDTH_INIT \
  { sizeof(bellows_width), 0, 0, 0, 0, -1, -1 }

typedef struct bellows_memory {
  size_t struct_bytes;
  size_t weights;     /* bytes of the model, all widths together; shared by its sessions */
  size_t activations; /* bytes of each session */
  size_t scratch;     /* bytes of each session, for oneDNN */
} bellows_memory;
#define BELLOWS_MEMORY_INIT \
  { sizeof(bellows_memory), 0, 0, 0 }

enum {
  BELLOWS_REFINABLE = 0, /* all activations are kept, bellows_session_refine can go on from them */
  BELLOWS_ONE_SHOT = 1   /* layers share memory; bellows_session_refine is refused */
};

typedef struct bellows_session_options {
  size_t struct_bytes;
  int max_batch;   /* images that one run can take, 1 or more */
  int threads;     /* that a run uses, 1 or more */
  int memory_mode; /* BELLOWS_REFINABLE or BELLOWS_ONE_SHOT */
} bellows_session_options;
#define BELLOWS_SESSION_OPTIONS_INIT \
  { sizeof(bellows_session_options), 1, 1, BELLOWS_REFINABLE }

typedef struct bellows_model_options {
  size_t struct_bytes;
  int groups;        /* the first so many, reading only their bytes; 0: all */
  int winograd;      /* not 0: faster single images for more memory, see ModelOptions */
  int single_images; /* not 0: all sessions will have a max_batch of 1, for less memory */
} bellows_model_options;
#define BELLOWS_MODEL_OPTIONS_INIT \
  { sizeof(bellows_model_options), 0, 0, 0 }

/* Loads and checks a model file. `options` NULL: the defaults. *model is made on success only. A
 * file that is replaced or removed afterwards does no harm. */
BELLOWS_API bellows_status bellows_model_load(const char* path,
                                              const bellows_model_options* options,
                                              bellows_model** model);
/* Sessions made from it stay valid: what they share is freed with the last of them. NULL does
 * nothing. */
BELLOWS_API void bellows_model_free(bellows_model* model);
BELLOWS_API bellows_status bellows_model_describe(const bellows_model* model,
                                                  bellows_model_info* info);
/* *name is the model's, valid until it is freed; NULL where the model has no names of classes. */
BELLOWS_API bellows_status bellows_model_class_name(const bellows_model* model, int label,
                                                    const char** name);
/* *name is that of output `index`, counted from 0: what bellows_session_output can be asked for. It
 * is the model's, valid until that is freed. BELLOWS_NOT_FOUND behind the last one. */
BELLOWS_API bellows_status bellows_model_output_name(const bellows_model* model, int index,
                                                     const char** name);
BELLOWS_API bellows_status bellows_model_width(const bellows_model* model, int number,
                                               bellows_width* width);
/* What a session with these options (NULL: the defaults) would take, before it is made. */
BELLOWS_API bellows_status bellows_model_memory(const bellows_model* model,
                                                const bellows_session_options* options,
                                                bellows_memory* memory);

/* Allocates everything; running allocates nothing but what oneDNN makes and frees in its calls.
 * `options` NULL: the defaults, one image, one thread, refinable. *session is made on success only.
 */
BELLOWS_API bellows_status bellows_session_create(const bellows_model* model,
                                                  const bellows_session_options* options,
                                                  bellows_session** session);
/* No thread may be inside a call on it. NULL does nothing. */
BELLOWS_API void bellows_session_free(bellows_session* session);

/* Runs widths 1..`width` on `values` floats, [N, C, H, W] in 0..1, which must be 1 to max_batch
 * whole images. After BELLOWS_UNSUPPORTED or BELLOWS_OUT_OF_MEMORY (oneDNN failed) there is no
 * result. */
BELLOWS_API bellows_status bellows_session_run(bellows_session* session, const float* images,
                                               size_t values, int width);
/* Continues to the next width, computing its group only: the same bits as a run at that width. */
BELLOWS_API bellows_status bellows_session_refine(bellows_session* session);
/* Nanoseconds of the clock that deadlines are on, CLOCK_MONOTONIC. */
BELLOWS_API int64_t bellows_now_ns(void);
/* Runs as many widths as are expected to be finished by the deadline, and tells the widest in
 * *width (may be NULL). BELLOWS_DEADLINE when not even width 1 fits or the deadline has passed: the
 * former result then stays. */
BELLOWS_API bellows_status bellows_session_run_until(bellows_session* session, const float* images,
                                                     size_t values, int64_t deadline_ns,
                                                     int* width);
/* Runs all widths `rounds` times, so that weights are in the caches and times known. Leaves no
 * result. */
BELLOWS_API bellows_status bellows_session_warm_up(bellows_session* session, int rounds);
/* Microseconds that a run at this width is expected to take; 0 before the first run. */
BELLOWS_API bellows_status bellows_session_expected_us(const bellows_session* session, int width,
                                                       double* microseconds);

/* Of the last result: its width and its number of images; 0 before the first. */
BELLOWS_API bellows_status bellows_session_result(const bellows_session* session, int* width,
                                                  int* images);
/* Copies logits, [N, classes], of a width up to the last result's (0: its own) into `values`
 * floats, which must be N x classes. */
BELLOWS_API bellows_status bellows_session_logits(const bellows_session* session, int width,
                                                  float* logits, size_t values);
/* The same with their softmax, of the last result. */
BELLOWS_API bellows_status bellows_session_probabilities(const bellows_session* session,
                                                         float* probabilities, size_t values);
/* The same by name: "logits", "probabilities", "logits.1" and so on for each width. */
BELLOWS_API bellows_status bellows_session_output(const bellows_session* session, const char* name,
                                                  float* output, size_t values);
/* The most probable class of image `index` of the batch, and its probability. */
BELLOWS_API bellows_status bellows_session_best(const bellows_session* session, int index,
                                                int* label, float* confidence);
BELLOWS_API bellows_status bellows_session_memory(const bellows_session* session,
                                                  bellows_memory* memory);

typedef struct bellows_growth_facts {
  size_t struct_bytes;
  int base_groups;      /* groups that a model must have for the growth file */
  int groups;           /* groups that the model has afterwards */
  int64_t growth_bytes; /* of the growth file */
  int64_t model_bytes;  /* of the model's file afterwards */
} bellows_growth_facts;
#define BELLOWS_GROWTH_FACTS_INIT \
  { sizeof(bellows_growth_facts), 0, 0, 0, 0 }

/* Adds the groups in the file `growth` to the model in the file `model`, which must have exactly
 * the groups that they were grown from. The result goes to the file `out`, or takes the place of
 * `model` when `out` is NULL. Stopped at any moment, it leaves the old model or the new one, whole;
 * models that are loaded stay what they are. `facts` may be NULL. */
BELLOWS_API bellows_status bellows_apply_growth(const char* growth, const char* model,
                                                const char* out, bellows_growth_facts* facts);
/* Writes to the file `growth` the groups that the model `wide` has beyond the model `base`. `facts`
 * may be NULL. */
BELLOWS_API bellows_status bellows_write_growth(const char* wide, const char* base,
                                                const char* growth, bellows_growth_facts* facts);
/* Writes to the file `out` the model in the file `model` with its first `groups` groups only. */
BELLOWS_API bellows_status bellows_trim_model(const char* model, int groups, const char* out);

#ifdef __cplusplus
}
#endif

#endif /* BELLOWS_BELLOWS_C_H_ */
