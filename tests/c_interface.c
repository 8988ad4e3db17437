/* The C interface as a C99 program sees it, over the shared library: the whole life of a model and
 * a session, and everything that a caller can do wrong. Prints what does not hold, and fails.
 *
 *   c_interface MODEL OTHER_MODEL PROFILE FOLDER_TO_WRITE_TO
 *
 * MODEL must have at least two groups, OTHER_MODEL another number of parameters; PROFILE is
 * MODEL's, of another device, with energies that rise with the width. */
#define _POSIX_C_SOURCE 200809L

#include <bellows/bellows_c.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

static int failures = 0;

/* RFC 8032, section 7.1, test 1. */
static const char kSomeKey[] = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

static void check_true(int holds, const char* claim, int line) {
  if (holds) return;
  ++failures;
  fprintf(stderr, "line %d: does not hold: %s (last error: %s)\n", line, claim,
          bellows_last_error());
}
#define CHECK(claim) check_true((claim) ? 1 : 0, #claim, __LINE__)

/* The call fails with this status and a message with these words, which is one line. */
static void check_refused(bellows_status status, bellows_status wanted, const char* words,
                          int line) {
  const char* message = bellows_last_error();
  if (status == wanted && strstr(message, words) != NULL && strchr(message, '\n') == NULL) return;
  ++failures;
  fprintf(stderr, "line %d: status %d (%s), message '%s'; wanted %d and '%s'\n", line, (int)status,
          bellows_status_name(status), message, (int)wanted, words);
}
#define REFUSED(call, status, words) check_refused((call), (status), (words), __LINE__)

static bellows_model* model = NULL;
static bellows_session* session = NULL;
static bellows_model_info info = BELLOWS_MODEL_INFO_INIT;
static float* image = NULL;

static void loading(const char* path) {
  bellows_width narrow = BELLOWS_WIDTH_INIT;
  bellows_width wide = BELLOWS_WIDTH_INIT;
  const char* name = "unset";
  CHECK(bellows_model_load(path, NULL, &model) == BELLOWS_OK);
  CHECK(bellows_model_describe(model, &info) == BELLOWS_OK);
  CHECK(info.groups >= 2 && info.classes >= 2);
  CHECK(info.image_values ==
        (size_t)info.image_channels * (size_t)info.image_height * (size_t)info.image_width);
  CHECK(bellows_model_width(model, 1, &narrow) == BELLOWS_OK);
  CHECK(bellows_model_width(model, info.groups, &wide) == BELLOWS_OK);
  CHECK(narrow.number == 1 && wide.number == info.groups);
  CHECK(narrow.parameters > 0 && narrow.parameters < wide.parameters && narrow.macs < wide.macs);
  CHECK(wide.weight_bytes == 4 * wide.parameters);
  CHECK(wide.test_accuracy <= 1);
  CHECK(bellows_model_class_name(model, 0, &name) == BELLOWS_OK);
  CHECK(name == NULL || strcmp(name, "unset") != 0);
  CHECK(bellows_model_output_name(model, 0, &name) == BELLOWS_OK && strcmp(name, "logits") == 0);
  CHECK(bellows_model_output_name(model, 2, &name) == BELLOWS_OK && strcmp(name, "logits.1") == 0);
  image = calloc(info.image_values, sizeof *image);
  for (size_t i = 0; i < info.image_values; ++i) image[i] = (float)(i % 17) / 17.0F;
}

static void loading_what_cannot_be_loaded(const char* path, const char* folder) {
  bellows_model* none = NULL;
  bellows_model_options options = BELLOWS_MODEL_OPTIONS_INIT;
  char bad[4096];
  FILE* file = NULL;
  REFUSED(bellows_model_load(NULL, NULL, &none), BELLOWS_INVALID_ARGUMENT, "'path' is NULL");
  REFUSED(bellows_model_load(path, NULL, NULL), BELLOWS_INVALID_ARGUMENT, "'model' is NULL");
  REFUSED(bellows_model_load("", NULL, &none), BELLOWS_NOT_FOUND, "empty name");
  REFUSED(bellows_model_load("nowhere.safetensors", NULL, &none), BELLOWS_NOT_FOUND,
          "nowhere.safetensors");
  REFUSED(bellows_model_load("no\nsuch\tfile", NULL, &none), BELLOWS_NOT_FOUND, "no?such?file");
  REFUSED(bellows_model_load(folder, NULL, &none), BELLOWS_IO_ERROR, "not a regular file");
  options.groups = -1;
  REFUSED(bellows_model_load(path, &options, &none), BELLOWS_INVALID_ARGUMENT, "first -1 groups");
  options.groups = 1000;
  REFUSED(bellows_model_load(path, &options, &none), BELLOWS_INVALID_ARGUMENT, "first 1000");
  options.struct_bytes = 0;
  REFUSED(bellows_model_load(path, &options, &none), BELLOWS_INVALID_ARGUMENT, "'struct_bytes'");
  snprintf(bad, sizeof bad, "%s/bad.safetensors", folder);
  file = fopen(bad, "wb");
  CHECK(file != NULL && fputs("this is no model", file) >= 0 && fclose(file) == 0);
  REFUSED(bellows_model_load(bad, NULL, &none), BELLOWS_CORRUPT_DATA, "bad.safetensors");
  CHECK(none == NULL);
}

static void running(void) {
  const size_t classes = (size_t)info.classes;
  float* at_once = calloc(classes, sizeof *at_once);
  float* refined = calloc(classes, sizeof *refined);
  int width = -1;
  int images = -1;
  int label = -1;
  float confidence = -1;
  float sum = 0;
  double us = -1;
  CHECK(bellows_session_create(model, NULL, &session) == BELLOWS_OK);
  CHECK(bellows_session_result(session, &width, &images) == BELLOWS_OK);
  CHECK(width == 0 && images == 0);
  CHECK(bellows_session_expected_us(session, 1, &us) == BELLOWS_OK && us == 0);

  CHECK(bellows_session_run(session, image, info.image_values, 2) == BELLOWS_OK);
  CHECK(bellows_session_result(session, &width, &images) == BELLOWS_OK);
  CHECK(width == 2 && images == 1);
  CHECK(bellows_session_logits(session, 0, at_once, classes) == BELLOWS_OK);
  CHECK(bellows_session_run(session, image, info.image_values, 1) == BELLOWS_OK);
  CHECK(bellows_session_refine(session) == BELLOWS_OK);
  CHECK(bellows_session_output(session, "logits.2", refined, classes) == BELLOWS_OK);
  CHECK(memcmp(at_once, refined, classes * sizeof *refined) == 0);
  CHECK(bellows_session_logits(session, 1, refined, classes) == BELLOWS_OK);
  CHECK(memcmp(at_once, refined, classes * sizeof *refined) != 0);

  CHECK(bellows_session_probabilities(session, refined, classes) == BELLOWS_OK);
  for (size_t i = 0; i < classes; ++i) sum += refined[i];
  CHECK(fabsf(sum - 1) < 1e-5F);
  CHECK(bellows_session_best(session, 0, &label, &confidence) == BELLOWS_OK);
  CHECK(label >= 0 && label < info.classes && confidence == refined[label]);
  for (size_t i = 0; i < classes; ++i) CHECK(refined[i] <= confidence);
  CHECK(bellows_session_expected_us(session, 2, &us) == BELLOWS_OK && us > 0);
  free(at_once);
  free(refined);
}

static void running_by_a_deadline(void) {
  const int64_t an_hour = INT64_C(3600) * 1000000000;
  int width = -1;
  CHECK(bellows_session_warm_up(session, 2) == BELLOWS_OK);
  CHECK(bellows_session_run_until(session, image, info.image_values, bellows_now_ns() + an_hour,
                                  &width) == BELLOWS_OK);
  CHECK(width == info.groups);
  width = -1;
  REFUSED(
      bellows_session_run_until(session, image, info.image_values, bellows_now_ns() - 1000, &width),
      BELLOWS_DEADLINE, "passed");
  REFUSED(bellows_session_run_until(session, image, info.image_values, INT64_MIN, &width),
          BELLOWS_DEADLINE, "passed");
  CHECK(width == -1);
  CHECK(bellows_session_result(session, &width, NULL) == BELLOWS_OK && width == info.groups);
  CHECK(bellows_session_run_until(session, image, info.image_values, INT64_MAX, NULL) ==
        BELLOWS_OK);
}

static void null_handles(void) {
  float values[4] = {0, 0, 0, 0};
  int number = 0;
  double us = 0;
  const char* name = NULL;
  bellows_width width = BELLOWS_WIDTH_INIT;
  bellows_memory memory = BELLOWS_MEMORY_INIT;
  bellows_session* made = NULL;
  const bellows_status wanted = BELLOWS_INVALID_ARGUMENT;
  REFUSED(bellows_model_describe(NULL, &info), wanted, "'model' is NULL");
  REFUSED(bellows_model_describe(model, NULL), wanted, "'info' is NULL");
  REFUSED(bellows_model_class_name(NULL, 0, &name), wanted, "'model' is NULL");
  REFUSED(bellows_model_class_name(model, 0, NULL), wanted, "'name' is NULL");
  REFUSED(bellows_model_output_name(NULL, 0, &name), wanted, "'model' is NULL");
  REFUSED(bellows_model_output_name(model, 0, NULL), wanted, "'name' is NULL");
  REFUSED(bellows_model_width(NULL, 1, &width), wanted, "'model' is NULL");
  REFUSED(bellows_model_width(model, 1, NULL), wanted, "'width' is NULL");
  REFUSED(bellows_model_memory(NULL, NULL, &memory), wanted, "'model' is NULL");
  REFUSED(bellows_model_memory(model, NULL, NULL), wanted, "'memory' is NULL");
  REFUSED(bellows_session_create(NULL, NULL, &made), wanted, "'model' is NULL");
  REFUSED(bellows_session_create(model, NULL, NULL), wanted, "'session' is NULL");
  REFUSED(bellows_session_run(NULL, values, 4, 1), wanted, "'session' is NULL");
  REFUSED(bellows_session_run(session, NULL, 4, 1), wanted, "'images' is NULL");
  REFUSED(bellows_session_refine(NULL), wanted, "'session' is NULL");
  REFUSED(bellows_session_run_until(NULL, values, 4, INT64_MAX, &number), wanted,
          "'session' is NULL");
  REFUSED(bellows_session_run_until(session, NULL, 4, INT64_MAX, &number), wanted,
          "'images' is NULL");
  REFUSED(bellows_session_warm_up(NULL, 1), wanted, "'session' is NULL");
  REFUSED(bellows_session_expected_us(NULL, 1, &us), wanted, "'session' is NULL");
  REFUSED(bellows_session_expected_us(session, 1, NULL), wanted, "'microseconds' is NULL");
  REFUSED(bellows_session_result(NULL, &number, &number), wanted, "'session' is NULL");
  REFUSED(bellows_session_logits(NULL, 0, values, 4), wanted, "'session' is NULL");
  REFUSED(bellows_session_logits(session, 0, NULL, 4), wanted, "'logits' is NULL");
  REFUSED(bellows_session_probabilities(NULL, values, 4), wanted, "'session' is NULL");
  REFUSED(bellows_session_probabilities(session, NULL, 4), wanted, "'probabilities' is NULL");
  REFUSED(bellows_session_output(NULL, "logits", values, 4), wanted, "'session' is NULL");
  REFUSED(bellows_session_output(session, NULL, values, 4), wanted, "'name' is NULL");
  REFUSED(bellows_session_output(session, "logits", NULL, 4), wanted, "'output' is NULL");
  REFUSED(bellows_session_best(NULL, 0, &number, values), wanted, "'session' is NULL");
  REFUSED(bellows_session_memory(NULL, &memory), wanted, "'session' is NULL");
  REFUSED(bellows_session_memory(session, NULL), wanted, "'memory' is NULL");
  CHECK(made == NULL);
  bellows_model_free(NULL);
  bellows_session_free(NULL);
}

static void wrong_numbers(void) {
  const bellows_status wanted = BELLOWS_INVALID_ARGUMENT;
  const size_t classes = (size_t)info.classes;
  float* values = calloc(classes + 1, sizeof *values);
  double us = 0;
  int label = 0;
  const char* name = NULL;
  bellows_width width = BELLOWS_WIDTH_INIT;
  bellows_session_options options = BELLOWS_SESSION_OPTIONS_INIT;
  bellows_session* made = NULL;
  int reached = 0;

  CHECK(bellows_session_run(session, image, info.image_values, 1) == BELLOWS_OK);
  const int widths[3] = {0, -1, info.groups + 1};
  for (int i = 0; i < 3; ++i) {
    REFUSED(bellows_session_run(session, image, info.image_values, widths[i]), wanted, "widths 1");
    REFUSED(bellows_model_width(model, widths[i], &width), wanted, "widths 1");
    REFUSED(bellows_session_expected_us(session, widths[i], &us), wanted, "widths 1");
  }
  REFUSED(bellows_session_logits(session, 2, values, classes), wanted, "logits of width 2");
  REFUSED(bellows_session_logits(session, -1, values, classes), wanted, "logits of width -1");
  REFUSED(bellows_session_run(session, image, info.image_values - 1, 1), wanted, "values");
  REFUSED(bellows_session_run(session, image, 2 * info.image_values, 1), wanted, "values");
  REFUSED(bellows_session_run(session, image, 0, 1), wanted, "values");
  REFUSED(bellows_session_run_until(session, image, 1, INT64_MAX, &reached), wanted, "values");
  REFUSED(bellows_session_logits(session, 0, values, classes - 1), wanted, "has room for");
  REFUSED(bellows_session_probabilities(session, values, classes + 1), wanted, "has room for");
  REFUSED(bellows_session_output(session, "logits", values, 0), wanted, "has room for");
  REFUSED(bellows_session_output(session, "softmax", values, classes), BELLOWS_NOT_FOUND,
          "'softmax'");
  REFUSED(bellows_session_best(session, 1, &label, NULL), wanted, "image 1");
  REFUSED(bellows_session_warm_up(session, 0), wanted, "0 rounds");
  REFUSED(bellows_model_class_name(model, info.classes, &name), wanted, "classes 0 to");
  REFUSED(bellows_model_class_name(model, -1, &name), wanted, "class -1");
  REFUSED(bellows_model_output_name(model, 2 + info.groups, &name), BELLOWS_NOT_FOUND, "outputs 0");
  REFUSED(bellows_model_output_name(model, -1, &name), BELLOWS_NOT_FOUND, "output -1");
  CHECK(bellows_session_result(session, &reached, NULL) == BELLOWS_OK && reached == 1);

  options.max_batch = 0;
  REFUSED(bellows_session_create(model, &options, &made), wanted, "max_batch is 0");
  options.max_batch = 1;
  options.threads = -3;
  REFUSED(bellows_session_create(model, &options, &made), wanted, "threads is -3");
  options.threads = 1;
  options.memory_mode = 5;
  REFUSED(bellows_session_create(model, &options, &made), wanted, "memory mode 5");
  options.struct_bytes = 0;
  REFUSED(bellows_session_create(model, &options, &made), wanted, "'struct_bytes'");
  options.struct_bytes = 4096;
  REFUSED(bellows_session_create(model, &options, &made), wanted, "'struct_bytes'");
  width.struct_bytes = 0;
  REFUSED(bellows_model_width(model, 1, &width), wanted, "'struct_bytes'");
  CHECK(made == NULL);
  free(values);
}

/* Sizes of structures that no version had. */
static void wrong_structures(void) {
  bellows_width width = BELLOWS_WIDTH_INIT;
  bellows_session_options options = BELLOWS_SESSION_OPTIONS_INIT;
  bellows_session* made = NULL;
  for (size_t bytes = 0; bytes < 3 * sizeof width; ++bytes) {
    if (bytes == sizeof width) continue;
    width.struct_bytes = bytes;
    width.macs = 77;
    REFUSED(bellows_model_width(model, 1, &width), BELLOWS_INVALID_ARGUMENT, "'struct_bytes'");
    CHECK(width.macs == 77);
  }
  for (size_t bytes = 0; bytes < 3 * sizeof options; ++bytes) {
    /* Without max_bytes, as programs built before there was one. */
    const size_t former = offsetof(bellows_session_options, max_bytes);
    if (bytes == sizeof options || bytes == former) continue;
    options.struct_bytes = bytes;
    REFUSED(bellows_session_create(model, &options, &made), BELLOWS_INVALID_ARGUMENT,
            "'struct_bytes'");
  }
  CHECK(made == NULL);
  options.struct_bytes = offsetof(bellows_session_options, max_bytes);
  options.max_bytes = 1; /* which this caller does not know of */
  CHECK(bellows_session_create(model, &options, &made) == BELLOWS_OK);
  bellows_session_free(made);
}

/* Memory within limits, or nothing. */
static void limits_of_memory(const char* path) {
  bellows_model_options options = BELLOWS_MODEL_OPTIONS_INIT;
  bellows_session_options of_session = BELLOWS_SESSION_OPTIONS_INIT;
  bellows_memory memory = BELLOWS_MEMORY_INIT;
  bellows_model* small = NULL;
  bellows_session* made = NULL;
  options.max_bytes = 16;
  REFUSED(bellows_model_load(path, &options, &small), BELLOWS_OUT_OF_MEMORY, "max_bytes");
  CHECK(small == NULL);
  options.max_bytes = (size_t)1 << 30;
  CHECK(bellows_model_load(path, &options, &small) == BELLOWS_OK);
  CHECK(bellows_model_memory(small, NULL, &memory) == BELLOWS_OK);
  CHECK(memory.weights > 0);
  of_session.max_bytes = memory.activations + memory.scratch - 1;
  REFUSED(bellows_session_create(small, &of_session, &made), BELLOWS_OUT_OF_MEMORY, "max_bytes");
  CHECK(made == NULL);
  of_session.max_bytes += 1;
  CHECK(bellows_session_create(small, &of_session, &made) == BELLOWS_OK);
  bellows_session_free(made);
  bellows_model_free(small);
}

/* A model that nobody has signed, where a signature is asked for. */
static void unsigned_models(const char* path) {
  const char* key = kSomeKey;
  bellows_model_options options = BELLOWS_MODEL_OPTIONS_INIT;
  bellows_model* none = NULL;
  int64_t generation = 0;
  CHECK(bellows_model_generation(model, &generation) == BELLOWS_OK);
  CHECK(generation == -1);
  REFUSED(bellows_model_generation(NULL, &generation), BELLOWS_INVALID_ARGUMENT, "'model'");
  options.public_key = key;
  REFUSED(bellows_model_load(path, &options, &none), BELLOWS_UNTRUSTED, "not signed");
  options.public_key = "key";
  REFUSED(bellows_model_load(path, &options, &none), BELLOWS_INVALID_ARGUMENT, "no public key");
  options.public_key = "";
  REFUSED(bellows_model_load(path, &options, &none), BELLOWS_INVALID_ARGUMENT, "no public key");
  REFUSED(bellows_apply_signed_growth("growth", path, NULL, "", NULL), BELLOWS_INVALID_ARGUMENT,
          "no public key");
  CHECK(none == NULL);
  CHECK(strcmp(bellows_status_name(BELLOWS_UNTRUSTED), "untrusted") == 0);
}

/* One of generation 7 and its first group, both signed by `key`. */
static void signed_models(const char* wide, const char* narrow, const char* key,
                          const char* folder) {
  const char* other = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511b";
  char growth[4096];
  char grown[4096];
  int64_t generation = 0;
  bellows_model* made = NULL;
  bellows_model* none = NULL;
  bellows_model_options options = BELLOWS_MODEL_OPTIONS_INIT;
  options.public_key = key;
  options.min_generation = 7;
  CHECK(bellows_model_load(wide, &options, &made) == BELLOWS_OK);
  CHECK(bellows_model_generation(made, &generation) == BELLOWS_OK && generation == 7);
  bellows_model_free(made);
  options.min_generation = 8;
  REFUSED(bellows_model_load(wide, &options, &none), BELLOWS_UNTRUSTED, "at least 8");
  options.min_generation = 0;
  options.public_key = other;
  REFUSED(bellows_model_load(wide, &options, &none), BELLOWS_UNTRUSTED, key);
  CHECK(none == NULL);

  snprintf(growth, sizeof growth, "%s/signed_growth.safetensors", folder);
  snprintf(grown, sizeof grown, "%s/signed_grown.safetensors", folder);
  CHECK(bellows_write_growth(wide, narrow, growth, NULL) == BELLOWS_OK);
  REFUSED(bellows_apply_signed_growth(growth, narrow, grown, other, NULL), BELLOWS_UNTRUSTED, key);
  REFUSED(bellows_model_load(grown, NULL, &none), BELLOWS_NOT_FOUND, "signed_grown");
  CHECK(bellows_apply_signed_growth(growth, narrow, grown, key, NULL) == BELLOWS_OK);
  options.public_key = key;
  CHECK(bellows_model_load(grown, &options, &made) == BELLOWS_OK);
  bellows_model_free(made);
}

/* Rubbish for an image. */
static void images_that_are_no_numbers(void) {
  const float rubbish[3] = {NAN, INFINITY, -INFINITY};
  int width = 0;
  CHECK(bellows_session_run(session, image, info.image_values, 2) == BELLOWS_OK);
  for (int i = 0; i < 3; ++i) {
    const float kept = image[info.image_values - 1];
    image[info.image_values - 1] = rubbish[i];
    REFUSED(bellows_session_run(session, image, info.image_values, 1), BELLOWS_INVALID_ARGUMENT,
            "no numbers");
    REFUSED(bellows_session_run_until(session, image, info.image_values, INT64_MAX, &width),
            BELLOWS_INVALID_ARGUMENT, "no numbers");
    image[info.image_values - 1] = kept;
  }
  CHECK(bellows_session_result(session, &width, NULL) == BELLOWS_OK && width == 2);
}

static void* load_for_ever(void* path) {
  for (;;) {
    bellows_model* again = NULL;
    CHECK(bellows_model_load(path, NULL, &again) == BELLOWS_OK);
    bellows_model_free(again);
    pthread_testcancel();
  }
  return NULL;
}

static void cancelled_threads(char* path) {
  for (int i = 0; i < 20; ++i) {
    const struct timespec pause = {0, 100000L * i};
    pthread_t thread = 0;
    void* result = NULL;
    CHECK(pthread_create(&thread, NULL, load_for_ever, path) == 0);
    nanosleep(&pause, NULL);
    CHECK(pthread_cancel(thread) == 0);
    CHECK(pthread_join(thread, &result) == 0 && result == PTHREAD_CANCELED);
  }
}

static void batches_and_memory(void) {
  const size_t classes = (size_t)info.classes;
  bellows_session_options options = BELLOWS_SESSION_OPTIONS_INIT;
  bellows_session* batch = NULL;
  bellows_memory before = BELLOWS_MEMORY_INIT;
  bellows_memory kept = BELLOWS_MEMORY_INIT;
  bellows_memory one_shot = BELLOWS_MEMORY_INIT;
  float* images = calloc(3 * info.image_values, sizeof *images);
  float* logits = calloc(3 * classes, sizeof *logits);
  float* again = calloc(3 * classes, sizeof *again);
  int count = 0;
  for (size_t i = 0; i < 3 * info.image_values; ++i) images[i] = (float)(i % 13) / 13.0F;
  options.max_batch = 3;
  CHECK(bellows_model_memory(model, &options, &before) == BELLOWS_OK);
  CHECK(bellows_session_create(model, &options, &batch) == BELLOWS_OK);
  CHECK(bellows_session_memory(batch, &kept) == BELLOWS_OK);
  CHECK(before.activations == kept.activations && before.scratch == kept.scratch);
  CHECK(kept.weights > 0 && kept.activations > 0);
  CHECK(bellows_session_run(batch, images, 3 * info.image_values, info.groups) == BELLOWS_OK);
  CHECK(bellows_session_result(batch, NULL, &count) == BELLOWS_OK && count == 3);
  CHECK(bellows_session_logits(batch, 0, logits, 3 * classes) == BELLOWS_OK);
  bellows_session_free(batch);

  options.memory_mode = BELLOWS_ONE_SHOT;
  CHECK(bellows_session_create(model, &options, &batch) == BELLOWS_OK);
  CHECK(bellows_session_memory(batch, &one_shot) == BELLOWS_OK);
  CHECK(one_shot.activations <= kept.activations);
  CHECK(bellows_session_run(batch, images, 3 * info.image_values, info.groups) == BELLOWS_OK);
  CHECK(bellows_session_logits(batch, 0, again, 3 * classes) == BELLOWS_OK);
  CHECK(memcmp(logits, again, 3 * classes * sizeof *again) == 0);
  REFUSED(bellows_session_refine(batch), BELLOWS_INVALID_ARGUMENT, "one-shot");
  bellows_session_free(batch);
  free(images);
  free(logits);
  free(again);
}

static void a_model_for_single_images(const char* path) {
  bellows_model_options options = BELLOWS_MODEL_OPTIONS_INIT;
  bellows_session_options batch = BELLOWS_SESSION_OPTIONS_INIT;
  bellows_model* single = NULL;
  bellows_session* made = NULL;
  options.groups = 1;
  options.single_images = 1;
  CHECK(bellows_model_load(path, &options, &single) == BELLOWS_OK);
  CHECK(bellows_session_create(single, NULL, &made) == BELLOWS_OK);
  CHECK(bellows_session_run(made, image, info.image_values, 1) == BELLOWS_OK);
  REFUSED(bellows_session_run(made, image, info.image_values, 2), BELLOWS_INVALID_ARGUMENT,
          "widths 1 to 1");
  bellows_session_free(made);
  made = NULL;
  batch.max_batch = 2;
  REFUSED(bellows_session_create(single, &batch, &made), BELLOWS_INVALID_ARGUMENT, "single images");
  CHECK(made == NULL);
  bellows_model_free(single);
}

static void refusals_before_a_result(void) {
  float values[1] = {0};
  int label = 0;
  bellows_session* fresh = NULL;
  CHECK(bellows_session_create(model, NULL, &fresh) == BELLOWS_OK);
  REFUSED(bellows_session_refine(fresh), BELLOWS_INVALID_ARGUMENT, "no result yet");
  REFUSED(bellows_session_logits(fresh, 0, values, 1), BELLOWS_INVALID_ARGUMENT, "no result yet");
  REFUSED(bellows_session_probabilities(fresh, values, 1), BELLOWS_INVALID_ARGUMENT,
          "no result yet");
  REFUSED(bellows_session_best(fresh, 0, &label, NULL), BELLOWS_INVALID_ARGUMENT, "no result yet");
  CHECK(bellows_session_run(fresh, image, info.image_values, info.groups) == BELLOWS_OK);
  REFUSED(bellows_session_refine(fresh), BELLOWS_INVALID_ARGUMENT, "the widest");
  bellows_session_free(fresh);
}

static int stop_flag = 0;
static pthread_mutex_t stop_lock = PTHREAD_MUTEX_INITIALIZER;

static int stopped(int set) {
  pthread_mutex_lock(&stop_lock);
  stop_flag = stop_flag || set;
  const int value = stop_flag;
  pthread_mutex_unlock(&stop_lock);
  return value;
}

static void* keep_busy(void* unused) {
  (void)unused;
  while (!stopped(0)) (void)bellows_session_warm_up(session, 20000);
  return NULL;
}

static void two_threads_in_one_session(void) {
  pthread_t thread = 0;
  int width = 0;
  float logits[1];
  bellows_status status = BELLOWS_OK;
  const int64_t give_up = bellows_now_ns() + INT64_C(30) * 1000000000;
  CHECK(pthread_create(&thread, NULL, keep_busy, NULL) == 0);
  while (status == BELLOWS_OK && bellows_now_ns() < give_up) {
    status = bellows_session_run(session, image, info.image_values, info.groups);
  }
  REFUSED(status, BELLOWS_IN_USE, "another thread");
  /* The other one is inside thousands of runs, these come before their end. */
  REFUSED(bellows_session_result(session, &width, NULL), BELLOWS_IN_USE, "another thread");
  REFUSED(bellows_session_logits(session, 1, logits, 1), BELLOWS_IN_USE, "another thread");
  REFUSED(bellows_session_best(session, 0, &width, NULL), BELLOWS_IN_USE, "another thread");
  stopped(1);
  pthread_join(thread, NULL);
  CHECK(bellows_session_run(session, image, info.image_values, 1) == BELLOWS_OK);
}

static void* fail_elsewhere(void* message) {
  bellows_model* none = NULL;
  CHECK(strcmp(bellows_last_error(), "") == 0);
  (void)bellows_model_load("elsewhere.safetensors", NULL, &none);
  snprintf(message, 256, "%s", bellows_last_error());
  return NULL;
}

static void every_thread_has_its_own_message(void) {
  pthread_t thread = 0;
  char message[256] = "";
  bellows_model* none = NULL;
  REFUSED(bellows_model_load("here.safetensors", NULL, &none), BELLOWS_NOT_FOUND,
          "here.safetensors");
  CHECK(pthread_create(&thread, NULL, fail_elsewhere, message) == 0);
  pthread_join(thread, NULL);
  CHECK(strstr(message, "elsewhere.safetensors") != NULL);
  CHECK(strstr(bellows_last_error(), "here.safetensors") == bellows_last_error());
}

static int copy_file(const char* from, const char* to) {
  char bytes[4096];
  size_t count = 0;
  FILE* in = fopen(from, "rb");
  FILE* out = fopen(to, "wb");
  if (in == NULL || out == NULL) return 0;
  while ((count = fread(bytes, 1, sizeof bytes, in)) > 0) {
    if (fwrite(bytes, 1, count, out) != count) return 0;
  }
  fclose(in);
  return fclose(out) == 0;
}

static void a_file_swapped_under_a_running_program(const char* path, const char* other,
                                                   const char* folder) {
  const size_t classes = (size_t)info.classes;
  char deployed[4096];
  char next[4096];
  bellows_model* running_model = NULL;
  bellows_model* new_model = NULL;
  bellows_session* running_session = NULL;
  bellows_width old_width = BELLOWS_WIDTH_INIT;
  bellows_width new_width = BELLOWS_WIDTH_INIT;
  float* before = calloc(classes, sizeof *before);
  float* after = calloc(classes, sizeof *after);
  snprintf(deployed, sizeof deployed, "%s/deployed.safetensors", folder);
  snprintf(next, sizeof next, "%s/next.safetensors", folder);
  CHECK(copy_file(path, deployed) && copy_file(other, next));
  CHECK(bellows_model_load(deployed, NULL, &running_model) == BELLOWS_OK);
  CHECK(bellows_session_create(running_model, NULL, &running_session) == BELLOWS_OK);
  CHECK(bellows_session_run(running_session, image, info.image_values, 2) == BELLOWS_OK);
  CHECK(bellows_session_logits(running_session, 0, before, classes) == BELLOWS_OK);

  CHECK(rename(next, deployed) == 0);
  CHECK(bellows_session_run(running_session, image, info.image_values, 2) == BELLOWS_OK);
  CHECK(bellows_session_logits(running_session, 0, after, classes) == BELLOWS_OK);
  CHECK(memcmp(before, after, classes * sizeof *before) == 0);
  CHECK(bellows_model_load(deployed, NULL, &new_model) == BELLOWS_OK);
  CHECK(bellows_model_width(running_model, 1, &old_width) == BELLOWS_OK);
  CHECK(bellows_model_width(new_model, 1, &new_width) == BELLOWS_OK);
  CHECK(old_width.parameters != new_width.parameters);

  CHECK(remove(deployed) == 0);
  CHECK(bellows_session_run(running_session, image, info.image_values, 2) == BELLOWS_OK);
  REFUSED(bellows_model_load(deployed, NULL, &new_model), BELLOWS_NOT_FOUND,
          "deployed.safetensors");
  bellows_session_free(running_session);
  bellows_model_free(running_model);
  bellows_model_free(new_model);
  free(before);
  free(after);
}

static int64_t bytes_of(const char* path) {
  struct stat found;
  return stat(path, &found) == 0 ? (int64_t)found.st_size : -1;
}

/* A deployed model that grows, and everything that keeps it from doing so. */
static void growing_a_deployed_model(const char* wide, const char* other, const char* folder) {
  char narrow[4096];
  char growth[4096];
  bellows_model* grown = NULL;
  bellows_model_info described = BELLOWS_MODEL_INFO_INIT;
  bellows_growth_facts facts = BELLOWS_GROWTH_FACTS_INIT;
  snprintf(narrow, sizeof narrow, "%s/narrow.safetensors", folder);
  snprintf(growth, sizeof growth, "%s/growth.safetensors", folder);
  CHECK(bellows_trim_model(wide, 1, narrow) == BELLOWS_OK);
  facts.struct_bytes = 8;
  REFUSED(bellows_write_growth(wide, narrow, growth, &facts), BELLOWS_INVALID_ARGUMENT,
          "'struct_bytes'");
  REFUSED(bellows_apply_growth(growth, narrow, NULL, NULL), BELLOWS_NOT_FOUND, "growth");
  facts.struct_bytes = sizeof facts;
  CHECK(bellows_write_growth(wide, narrow, growth, &facts) == BELLOWS_OK);
  CHECK(facts.base_groups == 1 && facts.groups == info.groups);
  CHECK(facts.growth_bytes == bytes_of(growth) && facts.model_bytes == bytes_of(wide));
  CHECK(bellows_apply_growth(growth, narrow, NULL, NULL) == BELLOWS_OK);
  CHECK(bellows_model_load(narrow, NULL, &grown) == BELLOWS_OK);
  CHECK(bellows_model_describe(grown, &described) == BELLOWS_OK);
  CHECK(described.groups == info.groups);
  bellows_model_free(grown);
  REFUSED(bellows_apply_growth(growth, narrow, NULL, NULL), BELLOWS_INVALID_ARGUMENT, "narrow");
  REFUSED(bellows_apply_growth(growth, other, NULL, NULL), BELLOWS_INVALID_ARGUMENT, "growth");
  REFUSED(bellows_apply_growth(wide, narrow, NULL, NULL), BELLOWS_INVALID_ARGUMENT,
          "not a growth file");
  REFUSED(bellows_model_load(growth, NULL, &grown), BELLOWS_INVALID_ARGUMENT, "not a model");
  REFUSED(bellows_trim_model(wide, 0, narrow), BELLOWS_INVALID_ARGUMENT, "groups");
  REFUSED(bellows_apply_growth(NULL, narrow, NULL, NULL), BELLOWS_INVALID_ARGUMENT,
          "'growth' is NULL");
  REFUSED(bellows_apply_growth(growth, NULL, NULL, NULL), BELLOWS_INVALID_ARGUMENT,
          "'model' is NULL");
  REFUSED(bellows_write_growth(NULL, narrow, growth, NULL), BELLOWS_INVALID_ARGUMENT,
          "'wide' is NULL");
  REFUSED(bellows_write_growth(wide, NULL, growth, NULL), BELLOWS_INVALID_ARGUMENT,
          "'base' is NULL");
  REFUSED(bellows_write_growth(wide, narrow, NULL, NULL), BELLOWS_INVALID_ARGUMENT,
          "'growth' is NULL");
  REFUSED(bellows_write_signed_growth(wide, narrow, growth, NULL, 0, NULL),
          BELLOWS_INVALID_ARGUMENT, "'public_key' is NULL");
  REFUSED(bellows_write_signed_growth(wide, narrow, growth, kSomeKey, -1, NULL),
          BELLOWS_INVALID_ARGUMENT, "-1");
  REFUSED(bellows_write_signed_growth(wide, narrow, growth, kSomeKey, 0, NULL), BELLOWS_UNTRUSTED,
          "not signed");
  REFUSED(bellows_trim_signed_model(wide, 1, narrow, NULL, 0), BELLOWS_INVALID_ARGUMENT,
          "'public_key' is NULL");
  REFUSED(bellows_trim_signed_model(wide, 1, narrow, "", 0), BELLOWS_INVALID_ARGUMENT, "64");
  REFUSED(bellows_trim_signed_model(wide, 1, narrow, kSomeKey, 0), BELLOWS_UNTRUSTED, "not signed");
  REFUSED(bellows_trim_model(NULL, 1, narrow), BELLOWS_INVALID_ARGUMENT, "'model' is NULL");
  REFUSED(bellows_trim_model(wide, 1, NULL), BELLOWS_INVALID_ARGUMENT, "'out' is NULL");
}

/* Three points, each twice as slow, dear and right as the one before. */
static void some_points(bellows_operating_point points[3]) {
  for (int i = 0; i < 3; ++i) {
    const bellows_operating_point made = BELLOWS_OPERATING_POINT_INIT;
    const double times = (double)(1 << i);
    points[i] = made;
    points[i].width = i + 1;
    points[i].accuracy = 0.2 * times;
    points[i].latency_p50_us = 100 * times;
    points[i].latency_p95_us = 110 * times;
    points[i].latency_p99_us = 120 * times;
    points[i].energy_uj = 10 * times;
  }
}

static void targets_choose_the_point(void) {
  bellows_operating_point points[3];
  bellows_targets targets = BELLOWS_TARGETS_INIT;
  bellows_decision decision = BELLOWS_DECISION_INIT;
  bellows_reading reading = BELLOWS_READING_INIT;
  bellows_controller* controller = NULL;
  double us = 0;
  double uj = 0;
  int64_t switches = -1;
  some_points(points);
  CHECK(bellows_controller_create(points, 3, NULL, NULL, &controller) == BELLOWS_OK);
  CHECK(bellows_controller_decide(controller, 0, 0, &decision) == BELLOWS_OK);
  CHECK(decision.width == 3 && decision.point == 2 && decision.threads == 1);
  CHECK(decision.feasible == 1 && decision.failing == BELLOWS_LIMIT_NONE);

  targets.max_latency_us = 300;
  CHECK(bellows_controller_set_targets(controller, &targets, 1) == BELLOWS_OK);
  CHECK(bellows_controller_decide(controller, 1, 0, &decision) == BELLOWS_OK);
  CHECK(decision.width == 2);
  /* A deadline counts for its request only. */
  CHECK(bellows_controller_decide(controller, 1, 150, &decision) == BELLOWS_OK);
  CHECK(decision.width == 1 && decision.feasible == 1);
  CHECK(bellows_controller_decide(controller, 1, 0, &decision) == BELLOWS_OK);
  CHECK(decision.width == 2);
  targets.objective = BELLOWS_CHEAPEST;
  targets.max_latency_us = 0;
  targets.min_accuracy = 0.3;
  CHECK(bellows_controller_set_targets(controller, &targets, 2) == BELLOWS_OK);
  CHECK(bellows_controller_decide(controller, 2, 0, &decision) == BELLOWS_OK);
  CHECK(decision.width == 2);
  targets.max_energy_uj = 15;
  CHECK(bellows_controller_set_targets(controller, &targets, 3) == BELLOWS_OK);
  CHECK(bellows_controller_decide(controller, 3, 0, &decision) == BELLOWS_OK);
  CHECK(decision.width == 1 && decision.feasible == 0);
  CHECK(strcmp(bellows_limit_name(decision.failing), "accuracy") == 0);
  CHECK(strcmp(bellows_limit_name(99), "unknown limit") == 0);
  CHECK(bellows_controller_switches(controller, &switches) == BELLOWS_OK && switches >= 2);

  /* Twice as slow and as dear as its profile, often enough to be believed. */
  reading.point = 0;
  reading.latency_us = 200;
  reading.energy_uj = 20;
  for (int i = 0; i < 50; ++i) {
    reading.now_s = 4 + i;
    CHECK(bellows_controller_observe(controller, &reading) == BELLOWS_OK);
  }
  CHECK(bellows_controller_expected(controller, 0, &us, &uj) == BELLOWS_OK);
  CHECK(us > 195 && us < 245 && fabs(uj - 20) < 2);
  CHECK(bellows_controller_expected(controller, 0, NULL, NULL) == BELLOWS_OK);

  bellows_targets lasting = BELLOWS_TARGETS_INIT;
  lasting.has_energy_left = 1;
  lasting.energy_left_j = 1;
  lasting.energy_until_s = 1000;
  CHECK(bellows_controller_set_targets(controller, &lasting, 60) == BELLOWS_OK);
  CHECK(bellows_controller_energy_left(controller, 0.5, 61) == BELLOWS_OK);
  bellows_controller_free(controller);
  bellows_controller_free(NULL);
}

static void wrong_targets(void) {
  bellows_operating_point points[3];
  bellows_targets targets = BELLOWS_TARGETS_INIT;
  bellows_controller_options options = BELLOWS_CONTROLLER_OPTIONS_INIT;
  bellows_decision decision = BELLOWS_DECISION_INIT;
  bellows_reading reading = BELLOWS_READING_INIT;
  bellows_controller* controller = NULL;
  double value = 0;
  int64_t switches = 0;
  some_points(points);
  REFUSED(bellows_controller_create(NULL, 3, NULL, NULL, &controller), BELLOWS_INVALID_ARGUMENT,
          "'points' is NULL");
  REFUSED(bellows_controller_create(points, 3, NULL, NULL, NULL), BELLOWS_INVALID_ARGUMENT,
          "'controller' is NULL");
  REFUSED(bellows_controller_create(points, 0, NULL, NULL, &controller), BELLOWS_INVALID_ARGUMENT,
          "point");
  points[1].accuracy = 2;
  REFUSED(bellows_controller_create(points, 3, NULL, NULL, &controller), BELLOWS_INVALID_ARGUMENT,
          "accuracy");
  some_points(points);
  points[0].struct_bytes = 4;
  REFUSED(bellows_controller_create(points, 3, NULL, NULL, &controller), BELLOWS_INVALID_ARGUMENT,
          "bellows_operating_point");
  some_points(points);
  options.margin = -1;
  REFUSED(bellows_controller_create(points, 3, NULL, &options, &controller),
          BELLOWS_INVALID_ARGUMENT, "margin");
  targets.latency_percentile = 98;
  REFUSED(bellows_controller_create(points, 3, &targets, NULL, &controller),
          BELLOWS_INVALID_ARGUMENT, "98");
  CHECK(controller == NULL);

  CHECK(bellows_controller_create(points, 3, NULL, NULL, &controller) == BELLOWS_OK);
  targets.latency_percentile = 99;
  targets.max_latency_us = -1;
  REFUSED(bellows_controller_set_targets(controller, &targets, 0), BELLOWS_INVALID_ARGUMENT,
          "latency");
  targets.max_latency_us = 0;
  targets.objective = 7;
  REFUSED(bellows_controller_set_targets(controller, &targets, 0), BELLOWS_INVALID_ARGUMENT,
          "'objective'");
  REFUSED(bellows_controller_set_targets(controller, NULL, 0), BELLOWS_INVALID_ARGUMENT,
          "'targets' is NULL");
  targets.struct_bytes = 1;
  REFUSED(bellows_controller_set_targets(controller, &targets, 0), BELLOWS_INVALID_ARGUMENT,
          "bellows_targets");
  REFUSED(bellows_controller_decide(NULL, 0, 0, &decision), BELLOWS_INVALID_ARGUMENT,
          "'controller' is NULL");
  REFUSED(bellows_controller_decide(controller, 0, 0, NULL), BELLOWS_INVALID_ARGUMENT,
          "'decision' is NULL");
  REFUSED(bellows_controller_decide(controller, 0, -5, &decision), BELLOWS_INVALID_ARGUMENT,
          "deadline");
  REFUSED(bellows_controller_decide(controller, (double)NAN, 0, &decision),
          BELLOWS_INVALID_ARGUMENT, "now_s");
  reading.latency_us = 1;
  reading.point = 3;
  REFUSED(bellows_controller_observe(controller, &reading), BELLOWS_INVALID_ARGUMENT, "point");
  reading.point = 0;
  reading.latency_us = 0;
  REFUSED(bellows_controller_observe(controller, &reading), BELLOWS_INVALID_ARGUMENT, "latency");
  reading.latency_us = 1;
  reading.energy_uj = (double)NAN;
  REFUSED(bellows_controller_observe(controller, &reading), BELLOWS_INVALID_ARGUMENT, "energy");
  REFUSED(bellows_controller_observe(controller, NULL), BELLOWS_INVALID_ARGUMENT,
          "'reading' is NULL");
  REFUSED(bellows_controller_energy_left(controller, 1, 0), BELLOWS_INVALID_ARGUMENT, "");
  REFUSED(bellows_controller_expected(controller, 9, &value, NULL), BELLOWS_INVALID_ARGUMENT,
          "point");
  REFUSED(bellows_controller_expected(NULL, 0, &value, NULL), BELLOWS_INVALID_ARGUMENT,
          "'controller' is NULL");
  REFUSED(bellows_controller_switches(controller, NULL), BELLOWS_INVALID_ARGUMENT,
          "'switches' is NULL");
  REFUSED(bellows_controller_switches(NULL, &switches), BELLOWS_INVALID_ARGUMENT,
          "'controller' is NULL");
  bellows_controller_free(controller);
}

static void a_profile_drives_a_session(const char* path) {
  bellows_profile* profile = NULL;
  bellows_controller* controller = NULL;
  bellows_operating_point point = BELLOWS_OPERATING_POINT_INIT;
  bellows_targets targets = BELLOWS_TARGETS_INIT;
  bellows_answer answer = BELLOWS_ANSWER_INIT;
  int label = -1;
  int width = -1;
  REFUSED(bellows_profile_load("nowhere.json", &profile), BELLOWS_NOT_FOUND, "nowhere.json");
  REFUSED(bellows_profile_load(NULL, &profile), BELLOWS_INVALID_ARGUMENT, "'path' is NULL");
  REFUSED(bellows_profile_load(path, NULL), BELLOWS_INVALID_ARGUMENT, "'profile' is NULL");
  CHECK(bellows_profile_load(path, &profile) == BELLOWS_OK);
  if (profile == NULL) return;
  REFUSED(bellows_profile_check_device(profile), BELLOWS_INVALID_ARGUMENT, "another device");
  CHECK(bellows_profile_point(profile, model, 2, 1, &point) == BELLOWS_OK);
  CHECK(point.width == 2 && point.threads == 1 && point.latency_p50_us > 0);
  REFUSED(bellows_profile_point(profile, model, 99, 1, &point), BELLOWS_NOT_FOUND, "width 99");
  REFUSED(bellows_profile_point(profile, model, 1, 77, &point), BELLOWS_INVALID_ARGUMENT,
          "77 threads");
  REFUSED(bellows_profile_point(profile, NULL, 1, 1, &point), BELLOWS_INVALID_ARGUMENT,
          "'model' is NULL");

  REFUSED(bellows_controller_create_from(NULL, model, 1, NULL, NULL, &controller),
          BELLOWS_INVALID_ARGUMENT, "'profile' is NULL");
  CHECK(bellows_controller_create_from(profile, model, 1, NULL, NULL, &controller) == BELLOWS_OK);
  bellows_profile_free(profile);
  bellows_profile_free(NULL);
  CHECK(bellows_session_classify(session, image, info.image_values, controller, &answer) ==
        BELLOWS_OK);
  CHECK(answer.width == info.groups && answer.feasible == 1 && answer.latency_us > 0);
  CHECK(bellows_session_best(session, 0, &label, NULL) == BELLOWS_OK && label == answer.label);
  targets.max_energy_uj = point.energy_uj;
  CHECK(bellows_controller_set_targets(controller, &targets, 1e-9 * (double)bellows_now_ns()) ==
        BELLOWS_OK);
  CHECK(bellows_session_classify(session, image, info.image_values, controller, &answer) ==
        BELLOWS_OK);
  CHECK(answer.width == 2);
  CHECK(bellows_session_result(session, &width, NULL) == BELLOWS_OK && width == 2);
  REFUSED(bellows_session_classify(session, image, 1, controller, &answer),
          BELLOWS_INVALID_ARGUMENT, "image");
  REFUSED(bellows_session_classify(session, image, info.image_values, NULL, &answer),
          BELLOWS_INVALID_ARGUMENT, "'controller' is NULL");
  REFUSED(bellows_session_classify(session, image, info.image_values, controller, NULL),
          BELLOWS_INVALID_ARGUMENT, "'answer' is NULL");
  CHECK(bellows_session_result(session, &width, NULL) == BELLOWS_OK && width == 2);
  bellows_controller_free(controller);
}

static void policies_stop_a_session(const char* path, const char* profile_path) {
  bellows_policies* policies = NULL;
  bellows_profile* profile = NULL;
  bellows_controller* controller = NULL;
  bellows_policy policy = BELLOWS_POLICY_INIT;
  bellows_targets targets = BELLOWS_TARGETS_INIT;
  bellows_answer answer = BELLOWS_ANSWER_INIT;
  bellows_decision decision = BELLOWS_DECISION_INIT;
  const char* text = NULL;
  size_t count = 0;
  int wide = 0;
  REFUSED(bellows_policies_load("nowhere.json", model, &policies), BELLOWS_NOT_FOUND,
          "nowhere.json");
  REFUSED(bellows_policies_load(NULL, model, &policies), BELLOWS_INVALID_ARGUMENT,
          "'path' is NULL");
  REFUSED(bellows_policies_load(path, NULL, &policies), BELLOWS_INVALID_ARGUMENT,
          "'model' is NULL");
  REFUSED(bellows_policies_load(path, model, NULL), BELLOWS_INVALID_ARGUMENT, "'policies' is NULL");
  CHECK(bellows_policies_load(path, model, &policies) == BELLOWS_OK);
  if (policies == NULL) return;
  CHECK(bellows_policies_count(policies, &count) == BELLOWS_OK);
  CHECK(count == (size_t)info.groups + 2);
  CHECK(bellows_policies_describe(policies, count - 2, &policy, &text) == BELLOWS_OK);
  CHECK(policy.kind == BELLOWS_POLICY_THRESHOLDS && policy.widest == info.groups);
  CHECK(policy.accuracy == 0.95 && text != NULL && strstr(text, "max_probability") != NULL);
  REFUSED(bellows_policies_describe(policies, count, &policy, NULL), BELLOWS_NOT_FOUND,
          "no policy");

  /* Sure enough from the first width on. */
  CHECK(bellows_session_classify_by(session, image, info.image_values, policies, count - 2,
                                    &answer) == BELLOWS_OK);
  CHECK(answer.width == 1 && answer.latency_us > 0);
  /* Every second image at the widest. */
  for (int i = 0; i < 10; ++i) {
    CHECK(bellows_session_classify_by(session, image, info.image_values, policies, count - 1,
                                      &answer) == BELLOWS_OK);
    wide += answer.width == info.groups ? 1 : 0;
  }
  CHECK(wide == 5);
  REFUSED(bellows_session_classify_by(session, image, info.image_values, policies, count, &answer),
          BELLOWS_NOT_FOUND, "no policy");
  REFUSED(bellows_session_classify_by(session, image, 1, policies, count - 2, &answer),
          BELLOWS_INVALID_ARGUMENT, "image");
  REFUSED(bellows_session_classify_by(session, image, info.image_values, NULL, 1, &answer),
          BELLOWS_INVALID_ARGUMENT, "'policies' is NULL");

  CHECK(bellows_profile_load(profile_path, &profile) == BELLOWS_OK);
  targets.min_accuracy = 0.94;
  targets.objective = BELLOWS_CHEAPEST;
  REFUSED(bellows_controller_create_with(profile, NULL, model, 1, &targets, NULL, &controller),
          BELLOWS_INVALID_ARGUMENT, "'policies' is NULL");
  CHECK(bellows_controller_create_with(profile, policies, model, 1, &targets, NULL, &controller) ==
        BELLOWS_OK);
  bellows_profile_free(profile);
  bellows_policies_free(policies);
  bellows_policies_free(NULL);
  CHECK(bellows_session_classify(session, image, info.image_values, controller, &answer) ==
        BELLOWS_OK);
  CHECK(answer.width == 1 && answer.feasible == 1);
  REFUSED(bellows_controller_decide(controller, 1e-9 * (double)bellows_now_ns(), 0, &decision),
          BELLOWS_INVALID_ARGUMENT, "bellows_session_classify");
  bellows_controller_free(controller);
}

static void a_model_freed_before_its_session(void) {
  int label = -1;
  bellows_model_free(model);
  model = NULL;
  CHECK(bellows_session_run(session, image, info.image_values, info.groups) == BELLOWS_OK);
  CHECK(bellows_session_best(session, 0, &label, NULL) == BELLOWS_OK && label >= 0);
}

int main(int argc, char** argv) {
  if (argc != 9) {
    fprintf(stderr,
            "Usage: c_interface MODEL OTHER_MODEL PROFILE FOLDER POLICIES SIGNED SIGNED_NARROW "
            "PUBLIC_KEY\n");
    return 2;
  }
  CHECK(strcmp(bellows_last_error(), "") == 0);
  CHECK(strcmp(bellows_status_name(BELLOWS_IN_USE), "in use") == 0);
  CHECK(strcmp(bellows_status_name((bellows_status)50), "unknown status") == 0);
  char version[32];
  snprintf(version, sizeof version, "%d.%d.%d", BELLOWS_VERSION_MAJOR, BELLOWS_VERSION_MINOR,
           BELLOWS_VERSION_PATCH);
  CHECK(strcmp(bellows_version(), version) == 0);

  loading(argv[1]);
  if (model == NULL) return 1;
  loading_what_cannot_be_loaded(argv[1], argv[4]);
  running();
  running_by_a_deadline();
  null_handles();
  wrong_numbers();
  wrong_structures();
  limits_of_memory(argv[1]);
  unsigned_models(argv[1]);
  signed_models(argv[6], argv[7], argv[8], argv[4]);
  images_that_are_no_numbers();
  cancelled_threads(argv[1]);
  batches_and_memory();
  a_model_for_single_images(argv[1]);
  refusals_before_a_result();
  two_threads_in_one_session();
  every_thread_has_its_own_message();
  a_file_swapped_under_a_running_program(argv[1], argv[2], argv[4]);
  targets_choose_the_point();
  wrong_targets();
  a_profile_drives_a_session(argv[3]);
  policies_stop_a_session(argv[5], argv[3]);
  growing_a_deployed_model(argv[1], argv[2], argv[4]);
  a_model_freed_before_its_session();

  bellows_session_free(session);
  free(image);
  if (failures > 0) fprintf(stderr, "%d claims do not hold\n", failures);
  return failures == 0 ? 0 : 1;
}
