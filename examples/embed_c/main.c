/* A C99 program of one's own around a trained network: answers by a deadline, and says how wide.
 * With a profile of the model, which `bellows profile` makes, it then spends at most so much
 * energy.
 *
 *   embed_c model.safetensors [profile.json]
 */
#include <bellows/bellows_c.h>
#include <stdio.h>
#include <stdlib.h>

static int give_up(const char* what) {
  fprintf(stderr, "embed_c: error: %s: %s\n", what, bellows_last_error());
  return 1;
}

/* The widest width that is expected to take no more than 5 mJ of energy. */
static bellows_status answer_cheaply(bellows_model* model, bellows_session* session,
                                     const char* path, const float* image, size_t values) {
  bellows_targets targets = BELLOWS_TARGETS_INIT;
  bellows_answer answer = BELLOWS_ANSWER_INIT;
  bellows_profile* profile = NULL;
  bellows_controller* controller = NULL;
  targets.max_energy_uj = 5000;
  bellows_status status = bellows_profile_load(path, &profile);
  if (status == BELLOWS_OK) {
    status = bellows_controller_create_from(profile, model, 1, &targets, NULL, &controller);
  }
  if (status == BELLOWS_OK) {
    status = bellows_session_classify(session, image, values, controller, &answer);
  }
  if (status == BELLOWS_OK) printf("class %d, width %d\n", answer.label, answer.width);
  bellows_controller_free(controller);
  bellows_profile_free(profile);
  return status;
}

int main(int argc, char** argv) {
  const char* path = argc > 1 ? argv[1] : "model.safetensors";
  const int64_t ten_ms = 10 * 1000 * 1000; /* nanoseconds */
  bellows_model* model = NULL;
  bellows_session* session = NULL;
  bellows_model_info info = BELLOWS_MODEL_INFO_INIT;
  bellows_memory memory = BELLOWS_MEMORY_INIT;
  int width = 0;
  int label = 0;
  float confidence = 0;

  if (bellows_model_load(path, NULL, &model) != BELLOWS_OK) return give_up("load");
  if (bellows_model_describe(model, &info) != BELLOWS_OK) return give_up("describe");
  if (bellows_session_create(model, NULL, &session) != BELLOWS_OK) return give_up("create");
  if (bellows_session_warm_up(session, 10) != BELLOWS_OK) return give_up("warm up");

  float* image = malloc(info.image_values * sizeof *image); /* [C, H, W], values 0..1 */
  if (image == NULL) return 1;
  for (size_t i = 0; i < info.image_values; ++i) image[i] = 0.5F;
  if (bellows_session_run_until(session, image, info.image_values, bellows_now_ns() + ten_ms,
                                &width) != BELLOWS_OK ||
      bellows_session_best(session, 0, &label, &confidence) != BELLOWS_OK) {
    return give_up("run");
  }
  if (argc > 2 && answer_cheaply(model, session, argv[2], image, info.image_values) != BELLOWS_OK) {
    return give_up("answer cheaply");
  }
  if (bellows_session_memory(session, &memory) != BELLOWS_OK) return give_up("memory");
  printf("class %d, probability %g, width %d of %d, %zu bytes of weights\n", label,
         (double)confidence, width, info.groups, memory.weights);

  free(image);
  bellows_session_free(session);
  bellows_model_free(model);
  return 0;
}
