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
  BELLOWS_OUT_OF_MEMORY = 8,    /* the system has not the memory for it, or not now, or it was not
                                 * allowed */
  BELLOWS_UNTRUSTED = 9,        /* a model without the signature that was asked for */
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
/* What every width of a model costs and is worth on one device: immutable, for any number of
 * threads. */
typedef struct bellows_profile bellows_profile;
/* Rules by which images stop at the width that is enough for them; one thread at a time, which is
 * not checked. */
typedef struct bellows_policies bellows_policies;
/* Chooses widths by targets; one thread at a time, which is not checked. */
typedef struct bellows_controller bellows_controller;

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
  size_t activations; /* bytes of each session, its results included */
  size_t scratch;     /* bytes of each session, for oneDNN; in part reckoned */
  size_t operations;  /* reckoned bytes for each batch size and number of threads; shared by the
                       * sessions that have these */
} bellows_memory;
#define BELLOWS_MEMORY_INIT \
  { sizeof(bellows_memory), 0, 0, 0, 0 }

enum {
  BELLOWS_REFINABLE = 0, /* all activations are kept, bellows_session_refine can go on from them */
  BELLOWS_ONE_SHOT = 1   /* layers share memory; bellows_session_refine is refused */
};

typedef struct bellows_session_options {
  size_t struct_bytes;
  int max_batch;    /* images that one run can take, 1 or more */
  int threads;      /* that a run uses, 1 or more */
  int memory_mode;  /* BELLOWS_REFINABLE or BELLOWS_ONE_SHOT */
  int reserved;     /* 0 */
  size_t max_bytes; /* of activations and scratch; 0: as many as there are. Beyond it making the
                     * session is BELLOWS_OUT_OF_MEMORY, before any of them are taken. */
} bellows_session_options;
#define BELLOWS_SESSION_OPTIONS_INIT \
  { sizeof(bellows_session_options), 1, 1, BELLOWS_REFINABLE, 0, 0 }

typedef struct bellows_model_options {
  size_t struct_bytes;
  int groups;             /* the first so many, reading only their bytes; 0: all */
  int winograd;           /* not 0: faster single images for more memory, see ModelOptions */
  int single_images;      /* not 0: all sessions will have a max_batch of 1, for less memory */
  int reserved;           /* 0 */
  size_t max_bytes;       /* of weights and operations, see ModelOptions; 0: as many as there are */
  const char* public_key; /* in 64 hexadecimal digits, of who must have signed the model; NULL: it
                           * need not be signed; "" is no key and is refused */
  int64_t min_generation; /* of its signature, with a public_key only; 0: any */
} bellows_model_options;
#define BELLOWS_MODEL_OPTIONS_INIT \
  { sizeof(bellows_model_options), 0, 0, 0, 0, 0, NULL, 0 }

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
/* Of its signature; -1: it is not signed. */
BELLOWS_API bellows_status bellows_model_generation(const bellows_model* model,
                                                    int64_t* generation);
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
 * whole images. After BELLOWS_UNSUPPORTED or BELLOWS_OUT_OF_MEMORY (oneDNN failed), or where the
 * logits are infinite or no numbers since values of the image are far too large
 * (BELLOWS_INVALID_ARGUMENT), there is no result; of other calls that are refused the former one
 * stays. */
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

/* Profiles, and widths chosen by targets: see <bellows/controller.h> and docs/targets.md.
 *
 *   bellows_targets targets = BELLOWS_TARGETS_INIT;
 *   bellows_answer answer = BELLOWS_ANSWER_INIT;
 *   targets.max_latency_us = 500;
 *   bellows_profile_load("profile.json", &profile);
 *   bellows_controller_create_from(profile, model, 1, &targets, NULL, &controller);
 *   bellows_session_classify(session, image, values, controller, &answer);
 */

/* A width on a number of threads, with what was measured of it; all of one image at a time. The
 * latencies must be set: above 0, and none below the one before it. */
typedef struct bellows_operating_point {
  size_t struct_bytes;
  int width;
  int threads;
  double accuracy; /* share of right answers, 0..1, on images held out of training */
  double latency_p50_us;
  double latency_p95_us;
  double latency_p99_us;
  double energy_uj; /* 0: not known */
} bellows_operating_point;
#define BELLOWS_OPERATING_POINT_INIT \
  { sizeof(bellows_operating_point), 1, 1, 0, 0, 0, 0, 0 }

/* Loads and checks what `bellows profile` measured. *profile is made on success only. */
BELLOWS_API bellows_status bellows_profile_load(const char* path, bellows_profile** profile);
/* NULL does nothing. */
BELLOWS_API void bellows_profile_free(bellows_profile* profile);
/* BELLOWS_INVALID_ARGUMENT unless it was made on a device as this one; elsewhere it is an estimate
 * at best. */
BELLOWS_API bellows_status bellows_profile_check_device(const bellows_profile* profile);
/* A width of a model in sessions of so many threads. BELLOWS_INVALID_ARGUMENT where the profile is
 * another model's, or knows nothing of that number of threads or of its accuracies;
 * BELLOWS_NOT_FOUND for a width that was not measured. */
BELLOWS_API bellows_status bellows_profile_point(const bellows_profile* profile,
                                                 const bellows_model* model, int width, int threads,
                                                 bellows_operating_point* point);

enum {
  BELLOWS_POLICY_WIDTH = 0,      /* every image is run at one width */
  BELLOWS_POLICY_THRESHOLDS = 1, /* images stop where the answer is sure enough */
  BELLOWS_POLICY_SELECTOR = 2,   /* a small learned network says stop or go */
  BELLOWS_POLICY_MIXTURE = 3     /* images are dealt out to other policies by fixed shares */
};

typedef struct bellows_policy {
  size_t struct_bytes;
  int kind;        /* one of the above */
  int widest;      /* that it may run */
  double accuracy; /* share of right answers, 0..1, on the images that it was tuned on */
} bellows_policy;
#define BELLOWS_POLICY_INIT \
  { sizeof(bellows_policy), 0, 0, 0 }

/* Loads and checks what `bellows tune` wrote for this model. *policies is made on success only;
 * afterwards the model may be freed. BELLOWS_INVALID_ARGUMENT where it was made for another model.
 */
BELLOWS_API bellows_status bellows_policies_load(const char* path, const bellows_model* model,
                                                 bellows_policies** policies);
/* NULL does nothing. */
BELLOWS_API void bellows_policies_free(bellows_policies* policies);
BELLOWS_API bellows_status bellows_policies_count(const bellows_policies* policies, size_t* count);
/* Policy `index`, counted from 0. *text, which may be NULL, is for people, the policies' own and
 * valid until they are freed. BELLOWS_NOT_FOUND behind the last one. */
BELLOWS_API bellows_status bellows_policies_describe(const bellows_policies* policies, size_t index,
                                                     bellows_policy* policy, const char** text);

enum {
  BELLOWS_MOST_ACCURATE = 0, /* within the limits; of equals the least energy */
  BELLOWS_CHEAPEST = 1       /* the least energy within the limits; of equals the most accurate */
};

/* Limits; 0 where there is none. All of one image at a time. */
typedef struct bellows_targets {
  size_t struct_bytes;
  double max_latency_us;
  int latency_percentile; /* 50, 95 or 99: so many of 100 keep to max_latency_us */
  int objective;          /* BELLOWS_MOST_ACCURATE or BELLOWS_CHEAPEST */
  double max_energy_uj;   /* expected of each inference */
  double max_power_w;     /* average that inferences draw, their pauses included */
  double power_window_s;  /* max_power_w is exceeded by at most what it gives in this time */
  double min_accuracy;    /* share of right answers, 0..1 */
  int has_energy_left;    /* not 0: the next three are a store that must last */
  double energy_left_j;
  double energy_until_s;       /* when it may be empty, on the clock of the calls */
  double energy_other_power_w; /* what drains it besides inferences */
} bellows_targets;
#define BELLOWS_TARGETS_INIT \
  { sizeof(bellows_targets), 0, 99, BELLOWS_MOST_ACCURATE, 0, 0, 10, 0, 0, 0, 0, 0 }

/* The limits, in the order in which they are kept where not all can be. */
enum {
  BELLOWS_LIMIT_NONE = 0,
  BELLOWS_LIMIT_DEADLINE = 1, /* of one request */
  BELLOWS_LIMIT_LATENCY = 2,
  BELLOWS_LIMIT_ENERGY = 3,
  BELLOWS_LIMIT_POWER = 4,
  BELLOWS_LIMIT_ENERGY_LEFT = 5,
  BELLOWS_LIMIT_ACCURACY = 6
};

/* "latency", "energy left", ...; "unknown limit" for a number that is none. Never NULL. */
BELLOWS_API const char* bellows_limit_name(int limit);

typedef struct bellows_controller_options {
  size_t struct_bytes;
  int min_dwell; /* requests between a switch and the next that only improves */
  int max_dwell; /* what that grows to while slower points turn out too slow */
  double margin; /* share of a limit that stays free before a dearer point is begun, 0..1 */
} bellows_controller_options;
#define BELLOWS_CONTROLLER_OPTIONS_INIT \
  { sizeof(bellows_controller_options), 8, 1024, 0.05 }

/* Controllers over policies decide within bellows_session_classify only, as policies stop by what
 * they see of an image. */
typedef struct bellows_decision {
  size_t struct_bytes;
  size_t point; /* index into the points */
  int width;    /* of that point, and its threads */
  int threads;
  int feasible; /* whether it is expected to keep all limits */
  int failing;  /* else the first that no point keeps along with those before it */
} bellows_decision;
#define BELLOWS_DECISION_INIT \
  { sizeof(bellows_decision), 0, 0, 0, 0, BELLOWS_LIMIT_NONE }

typedef struct bellows_reading {
  size_t struct_bytes;
  size_t point;      /* what was run */
  double latency_us; /* that it took, more than 0 */
  double energy_uj;  /* negative: not measured, what was expected counts */
  double now_s;      /* when it was done */
} bellows_reading;
#define BELLOWS_READING_INIT \
  { sizeof(bellows_reading), 0, 0, -1, 0 }

typedef struct bellows_answer {
  size_t struct_bytes;
  int label;
  float confidence; /* its probability */
  int width;        /* that was run */
  int feasible;     /* whether all limits are expected to be kept, */
  int failing;      /* and which is not */
  double latency_us;
} bellows_answer;
#define BELLOWS_ANSWER_INIT \
  { sizeof(bellows_answer), 0, 0, 0, 0, BELLOWS_LIMIT_NONE, 0 }

/* A controller over `count` points, in any order, which it copies. `targets` NULL: no limits;
 * `options` NULL: the defaults. *controller is made on success only. Times of all its calls are in
 * seconds from any origin; one that lies before the last is taken for the last. */
BELLOWS_API bellows_status bellows_controller_create(const bellows_operating_point* points,
                                                     size_t count, const bellows_targets* targets,
                                                     const bellows_controller_options* options,
                                                     bellows_controller** controller);
/* The same over all widths of a model on so many threads, as a profile has them; afterwards both
 * may be freed. Fails also as bellows_profile_point. */
BELLOWS_API bellows_status bellows_controller_create_from(const bellows_profile* profile,
                                                          const bellows_model* model, int threads,
                                                          const bellows_targets* targets,
                                                          const bellows_controller_options* options,
                                                          bellows_controller** controller);
/* The same over all widths and policies, those that another one betters in everything left out.
 * `policies` may be freed afterwards. */
BELLOWS_API bellows_status bellows_controller_create_with(const bellows_profile* profile,
                                                          const bellows_policies* policies,
                                                          const bellows_model* model, int threads,
                                                          const bellows_targets* targets,
                                                          const bellows_controller_options* options,
                                                          bellows_controller** controller);
/* NULL does nothing. */
BELLOWS_API void bellows_controller_free(bellows_controller* controller);
/* From now on these limits, also while requests are served. After a failure the former ones stay.
 */
BELLOWS_API bellows_status bellows_controller_set_targets(bellows_controller* controller,
                                                          const bellows_targets* targets,
                                                          double now_s);
/* What to run for the request that comes now. `deadline_us`: time in which this one must be
 * answered; 0: none. Allocates nothing, nor does the next call. */
BELLOWS_API bellows_status bellows_controller_decide(bellows_controller* controller, double now_s,
                                                     double deadline_us,
                                                     bellows_decision* decision);
/* What a request took. */
BELLOWS_API bellows_status bellows_controller_observe(bellows_controller* controller,
                                                      const bellows_reading* reading);
/* What is left in the store of the targets, read from it. What it has lost beyond the inferences'
 * own energy since the first reading, or the last that rose, is expected to go on, as soon as a
 * hundredth of the time is over. BELLOWS_INVALID_ARGUMENT where the targets have no store. */
BELLOWS_API bellows_status bellows_controller_energy_left(bellows_controller* controller,
                                                          double joules, double now_s);
/* What is expected of a point now, by its profile and what was observed; either may be NULL. */
BELLOWS_API bellows_status bellows_controller_expected(const bellows_controller* controller,
                                                       size_t point, double* latency_us,
                                                       double* energy_uj);
/* How often the point has changed since the first decision. */
BELLOWS_API bellows_status bellows_controller_switches(const bellows_controller* controller,
                                                       int64_t* switches);
/* Runs one image as the point that the controller chooses says, and tells it how long that took.
 * Its times are those of bellows_now_ns, in seconds. After a failure the former result stays,
 * unless it is one of those after which bellows_session_run leaves none. */
BELLOWS_API bellows_status bellows_session_classify(bellows_session* session, const float* image,
                                                    size_t values, bellows_controller* controller,
                                                    bellows_answer* answer);

/* Runs one image until policy `index` stops it. One that looks at answers needs a refinable
 * session. */
BELLOWS_API bellows_status bellows_session_classify_by(bellows_session* session, const float* image,
                                                       size_t values, bellows_policies* policies,
                                                       size_t index, bellows_answer* answer);

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
 * models that are loaded stay what they are. `facts` may be NULL. A model that is signed takes only
 * groups of a model that is signed by the same key, of its generation or later: BELLOWS_UNTRUSTED.
 */
BELLOWS_API bellows_status bellows_apply_growth(const char* growth, const char* model,
                                                const char* out, bellows_growth_facts* facts);
/* The same; both must be signed by `public_key`, in 64 hexadecimal digits. */
BELLOWS_API bellows_status bellows_apply_signed_growth(const char* growth, const char* model,
                                                       const char* out, const char* public_key,
                                                       bellows_growth_facts* facts);
/* Writes to the file `growth` the groups that the model `wide` has beyond the model `base`. `facts`
 * may be NULL. */
BELLOWS_API bellows_status bellows_write_growth(const char* wide, const char* base,
                                                const char* growth, bellows_growth_facts* facts);
/* The same; both must be signed by `public_key`, in 64 hexadecimal digits, and be of
 * `min_generation` or later: BELLOWS_UNTRUSTED. */
BELLOWS_API bellows_status bellows_write_signed_growth(const char* wide, const char* base,
                                                       const char* growth, const char* public_key,
                                                       int64_t min_generation,
                                                       bellows_growth_facts* facts);
/* Writes to the file `out` the model in the file `model` with its first `groups` groups only. */
BELLOWS_API bellows_status bellows_trim_model(const char* model, int groups, const char* out);
/* The same; `model` must be signed by `public_key` and be of `min_generation` or later. The result
 * is not signed. */
BELLOWS_API bellows_status bellows_trim_signed_model(const char* model, int groups, const char* out,
                                                     const char* public_key,
                                                     int64_t min_generation);

#ifdef __cplusplus
}
#endif

#endif /* BELLOWS_BELLOWS_C_H_ */
