// A profile: what every width of a model costs and is worth on one device, measured there by
// `bellows profile`. docs/profile_format.md describes the file.
#pragma once

#include <bellows/error.h>
#include <bellows/operating_point.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace bellows {

class Model;

namespace internal {
struct ProfileData;
struct ProfileAccess;
}  // namespace internal

/// What measured times and energies belong to.
struct Device {
  std::string processor;  ///< as the system names it
  std::string isa;        ///< the widest instructions that oneDNN uses
  int cores = 0;          ///< that are switched on, whether or not this program may use them
  std::string onednn;     ///< version, "2.6.3"

  bool operator==(const Device&) const = default;
};

/// The one that this program runs on.
BELLOWS_API Device this_device();

/// Immutable; copying shares it. Thread safe.
class BELLOWS_API Profile {
 public:
  /// Reads and checks a file. Throws Error naming it: kNotFound, kCorruptData, kUnsupported (a
  /// newer format), kIoError.
  static Profile load(const std::string& path);

  [[nodiscard]] const Device& device() const;
  /// Where its energies come from, such as "measured: rapl (package-0)"; empty: it has none.
  [[nodiscard]] const std::string& energy_source() const;

  /// Throws Error(kInvalidArgument), saying what differs, unless it was made on `device`. Elsewhere
  /// it is an estimate at best.
  void check_device(const Device& device = this_device()) const;

  /// What the widths of `model` give in sessions of so many threads, the narrowest first;
  /// accuracies on held-out images, or on test images where none were held out. The model may have
  /// fewer groups than the one that was measured. Throws Error(kInvalidArgument) for
  /// another model, a model that was not loaded from a file, a number of threads that was not
  /// measured, or a width of which the accuracy is not known.
  [[nodiscard]] std::vector<OperatingPoint> points(const Model& model, int threads = 1) const;

 private:
  friend struct internal::ProfileAccess;
  explicit Profile(std::shared_ptr<const internal::ProfileData> data) : data_(std::move(data)) {}
  std::shared_ptr<const internal::ProfileData> data_;
};

}  // namespace bellows
