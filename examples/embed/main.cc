// A program of one's own around a trained network: looks at an image at the narrowest width and
// widens only as long as it is not sure. With a profile of the model, which `bellows profile`
// makes, it then answers within 2 ms as well as it can; with policies too, which `bellows tune`
// finds, it may stop early.
//
//   embed model.safetensors [profile.json [policies.json]]
#include <bellows/bellows.h>

#include <iostream>
#include <vector>

int main(int argc, char** argv) try {
  const auto model = bellows::Model::load(argc > 1 ? argv[1] : "model.safetensors");
  bellows::Session session(model, {.max_batch = 1, .threads = 1});
  const std::vector<float> image(model.image_elements(), 0.5F);  // [C, H, W], values 0..1
  session.run(image, /*width=*/1);
  while (session.best().confidence < 0.95F && session.width() < model.groups()) session.refine();
  const bellows::Prediction best = session.best();
  std::cout << "class " << best.label << ", probability " << best.confidence << ", width "
            << session.width() << " of " << model.groups() << '\n';

  if (argc > 2) {
    const auto profile = bellows::Profile::load(argv[2]);
    const auto points = argc > 3 ? bellows::PolicySet::load(argv[3], model).points(profile, model)
                                 : profile.points(model);
    bellows::Controller controller(points, {.max_latency_us = 2000});
    const bellows::Result answer = session.classify(image, controller);
    std::cout << "class " << answer.label << ", width " << answer.width << ", " << answer.latency_us
              << " us\n";
  }
  return 0;
} catch (const bellows::Error& error) {
  std::cerr << "embed: error: " << error.what() << '\n';
  return 1;
}
