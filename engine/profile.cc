#include <bellows/bellows.h>
#include <bellows/profile.h>

#include <algorithm>
#include <utility>

#include "engine/json_value.h"
#include "engine/model_state.h"
#include "engine/profile_data.h"

namespace bellows {
namespace {

[[noreturn]] void refuse(const internal::ProfileData& profile, const std::string& problem) {
  throw Error(ErrorCode::kInvalidArgument,
              (profile.source.empty() ? std::string("profile") : profile.source) + ": " + problem);
}

}  // namespace

Profile Profile::load(const std::string& path) {
  return internal::make_profile(internal::read_profile(path));
}

const Device& Profile::device() const { return data_->device; }
const std::string& Profile::energy_source() const { return data_->energy_source; }

void Profile::check_device(const Device& device) const {
  const Device& own = data_->device;
  const auto check = [&](const char* what, const std::string& had, const std::string& has) {
    if (had == has) return;
    refuse(*data_, "was made on another device: its " + std::string(what) + " was " +
                       in_quotes(had) + ", here it is " + in_quotes(has) +
                       "; make one here with 'bellows profile', or take it as an estimate");
  };
  check("processor", own.processor, device.processor);
  check("instruction set", own.isa, device.isa);
  check("number of cores", std::to_string(own.cores), std::to_string(device.cores));
  check("version of oneDNN", own.onednn, device.onednn);
}

std::vector<OperatingPoint> Profile::points(const Model& model, int threads) const {
  const std::vector<std::string>& hashes = internal::state_of(model)->group_sha256;
  if (hashes.empty()) refuse(*data_, "says nothing of a model that was not loaded from a file");
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    if (i >= data_->group_sha256.size()) {
      refuse(*data_, "was made when the model had " + std::to_string(data_->group_sha256.size()) +
                         " groups, now it has " + std::to_string(hashes.size()) +
                         "; make a new one with 'bellows profile'");
    }
    if (hashes[i] != data_->group_sha256[i]) {
      refuse(*data_, "was made for another model: group " + std::to_string(i + 1) + " there has " +
                         "SHA-256 " + in_quotes(data_->group_sha256[i]) + ", here " + hashes[i]);
    }
  }
  std::vector<OperatingPoint> points;
  for (const internal::ProfilePoint& point : data_->points) {
    if (point.threads != threads || point.width > model.groups()) continue;
    const std::optional<double> accuracy =
        point.validation_accuracy ? point.validation_accuracy : point.test_accuracy;
    if (!accuracy) {
      refuse(*data_,
             "does not know the accuracy of width " + std::to_string(point.width) +
                 "; make it again with the data set that the model was trained on (--data)");
    }
    // In the order of widths.
    points.insert(std::ranges::upper_bound(points, point.width, {}, &OperatingPoint::width),
                  {.width = point.width,
                   .threads = threads,
                   .accuracy = *accuracy,
                   .latency_p50_us = point.latency_us.p50,
                   .latency_p95_us = point.latency_us.p95,
                   .latency_p99_us = point.latency_us.p99,
                   .energy_uj = point.energy_uj.value_or(0)});
  }
  if (points.empty()) {
    refuse(*data_, "has no points for " + std::to_string(threads) +
                       " threads; make it with 'bellows profile --threads " +
                       std::to_string(threads) + "'");
  }
  return points;
}

namespace internal {

struct ProfileAccess {
  static Profile make(ProfileData data) {
    return Profile(std::make_shared<const ProfileData>(std::move(data)));
  }
};

Profile make_profile(ProfileData data) { return ProfileAccess::make(std::move(data)); }

}  // namespace internal
}  // namespace bellows
