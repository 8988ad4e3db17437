#include "training/policies/calibration.h"

#include <bellows/error.h>

#include <algorithm>
#include <cmath>
#include <string>

namespace bellows {
namespace {

std::size_t classes_of(std::span<const float> logits, std::span<const std::int32_t> labels,
                       double temperature) {
  const auto refuse = [](const std::string& problem) {
    throw Error(ErrorCode::kInvalidArgument, "calibration: " + problem);
  };
  if (labels.empty() || logits.size() % labels.size() != 0 || logits.size() < 2 * labels.size()) {
    refuse(std::to_string(logits.size()) + " logits for " + std::to_string(labels.size()) +
           " labels; give [N, classes] and [N]");
  }
  if (!(temperature > 0 && std::isfinite(temperature))) {
    refuse("temperature " + std::to_string(temperature) + "; it must be above 0");
  }
  return logits.size() / labels.size();
}

// log of the sum of exp(logit / temperature), less the largest: what is left to add is that.
struct LogSum {
  double largest = 0;
  double log_sum = 0;
  std::size_t answer = 0;
};

LogSum log_sum(std::span<const float> row, double temperature) {
  const auto top = std::ranges::max_element(row);
  LogSum result{.largest = double{*top} / temperature,
                .log_sum = 0,
                .answer = static_cast<std::size_t>(top - row.begin())};
  double sum = 0;
  for (const float logit : row) sum += std::exp(double{logit} / temperature - result.largest);
  result.log_sum = std::log(sum);
  return result;
}

double mean_loss(std::span<const float> logits, std::span<const std::int32_t> labels,
                 std::size_t classes, double temperature) {
  double loss = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto row = logits.subspan(i * classes, classes);
    const LogSum sum = log_sum(row, temperature);
    loss +=
        sum.log_sum + sum.largest - double{row[static_cast<std::size_t>(labels[i])]} / temperature;
  }
  return loss / static_cast<double>(labels.size());
}

}  // namespace

Calibration calibration(std::span<const float> logits, std::span<const std::int32_t> labels,
                        double temperature, int bins) {
  const std::size_t classes = classes_of(logits, labels, temperature);
  Calibration result{.temperature = temperature,
                     .negative_log_likelihood = mean_loss(logits, labels, classes, temperature),
                     .bins = std::vector<ReliabilityBin>(static_cast<std::size_t>(bins))};
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const LogSum sum = log_sum(logits.subspan(i * classes, classes), temperature);
    const double confidence = std::exp(-sum.log_sum);  // the largest, less the log of the sum
    const auto index =
        static_cast<std::size_t>(std::clamp(confidence * bins, 0.0, static_cast<double>(bins) - 1));
    ReliabilityBin& bin = result.bins[index];
    ++bin.count;
    bin.confidence += confidence;
    bin.accuracy += sum.answer == static_cast<std::size_t>(labels[i]) ? 1 : 0;
  }
  for (ReliabilityBin& bin : result.bins) {
    result.expected_calibration_error += std::abs(bin.accuracy - bin.confidence);
    const auto count = static_cast<double>(std::max<std::int64_t>(1, bin.count));
    bin.confidence /= count;
    bin.accuracy /= count;
  }
  result.expected_calibration_error /= static_cast<double>(labels.size());
  return result;
}

double fit_temperature(std::span<const float> logits, std::span<const std::int32_t> labels) {
  const std::size_t classes = classes_of(logits, labels, 1);
  // Golden section over log(temperature): the loss is convex in 1 / temperature, so has one valley.
  const double ratio = (std::sqrt(5.0) - 1) / 2;
  const auto loss = [&](double log_temperature) {
    return mean_loss(logits, labels, classes, std::exp(log_temperature));
  };
  double low = std::log(1.0 / 20);
  double high = std::log(20.0);
  double left = high - ratio * (high - low);
  double right = low + ratio * (high - low);
  double left_loss = loss(left);
  double right_loss = loss(right);
  constexpr double kCloseEnough = 1e-4;
  while (high - low > kCloseEnough) {
    if (left_loss < right_loss) {
      high = right;
      right = left;
      right_loss = left_loss;
      left = high - ratio * (high - low);
      left_loss = loss(left);
    } else {
      low = left;
      left = right;
      left_loss = right_loss;
      right = low + ratio * (high - low);
      right_loss = loss(right);
    }
  }
  return std::exp((low + high) / 2);
}

}  // namespace bellows
