#include "engine/profile_data.h"

#include <bellows/error.h>

#include <algorithm>
#include <set>
#include <utility>

#include "engine/json_document.h"

namespace bellows::internal {
namespace {

constexpr DocumentKind kKind = {
    .format = "bellows profile", .version = 1, .name = "profile", .maker = "bellows profile"};

void check_points(const ProfileData& profile, const std::string& file) {
  if (profile.points.empty()) throw_corrupt(file, "has no points");
  const auto groups = static_cast<int>(profile.group_sha256.size());
  std::set<std::pair<int, int>> seen;
  for (std::size_t i = 0; i < profile.points.size(); ++i) {
    const ProfilePoint& point = profile.points[i];
    const std::string name = "point " + std::to_string(i + 1) + " (width " +
                             std::to_string(point.width) + ", " + std::to_string(point.threads) +
                             " threads)";
    if (point.width > groups) {
      throw_corrupt(file, name + ": the model has widths 1 to " + std::to_string(groups));
    }
    const LatencyFigures& latency = point.latency_us;
    if (latency.p50 <= 0 || latency.p95 < latency.p50 || latency.p99 < latency.p95) {
      throw_corrupt(file, name + ": its latencies p50, p95 and p99 must be positive and rise");
    }
    if (!seen.emplace(point.width, point.threads).second)
      throw_corrupt(file, name + ": stands twice");
  }
}

}  // namespace

void LatencyFigures::visit_fields(FieldVisitor& visitor) {
  visitor.field("p50", p50, {.help = "half of the runs took no longer", .required = true});
  visitor.field("p95", p95, {.help = "95 of 100 runs took no longer", .required = true});
  visitor.field("p99", p99, {.help = "99 of 100 runs took no longer", .required = true});
  visitor.field("mean", mean, {.help = "of the runs", .minimum = 0});
  visitor.field("runs", runs, {.help = "behind these figures", .minimum = 0});
  visitor.field("outliers", outliers, {.help = "runs left out", .minimum = 0});
}

void ProfilePoint::visit_fields(FieldVisitor& visitor) {
  visitor.field("width", width, {.help = "active groups", .required = true, .minimum = 1});
  visitor.field("threads", threads, {.help = "of the session", .required = true, .minimum = 1});
  visitor.field("validation_accuracy", validation_accuracy,
                {.help = "share of right answers, 0..1", .minimum = 0, .maximum = 1});
  visitor.field("test_accuracy", test_accuracy,
                {.help = "share of right answers, 0..1", .minimum = 0, .maximum = 1});
  visitor.table("latency_us", {.help = "times of single runs", .required = true},
                [this](FieldVisitor& fields) { latency_us.visit_fields(fields); });
  visitor.field("energy_uj", energy_uj, {.help = "of one image", .minimum = 0});
  visitor.field("macs", macs, {.help = "multiply-accumulates of one image", .minimum = 0});
  visitor.field("weight_bytes", weight_bytes, {.help = "in the model file", .minimum = 0});
  visitor.field("activation_bytes", activation_bytes,
                {.help = "written and read in one run", .minimum = 0});
  visitor.table("memory", {.help = "bytes held"}, [this](FieldVisitor& fields) {
    fields.field("weights", memory_weights, {.help = "of the model", .minimum = 0});
    fields.field("activations", memory_activations, {.help = "of the session", .minimum = 0});
    fields.field("scratch", memory_scratch, {.help = "of the session", .minimum = 0});
  });
}

void ProfileData::visit_fields(FieldVisitor& visitor) {
  visit_kind(visitor, kKind);
  visitor.table("model", {.required = true}, [this](FieldVisitor& fields) {
    fields.field("file", model_file, {});
    fields.field("name", model_name, {});
    fields.field("group_sha256", group_sha256, {.required = true});
  });
  visitor.table("device", {.required = true}, [this](FieldVisitor& fields) {
    fields.field("processor", device.processor, {.required = true});
    fields.field("isa", device.isa, {.required = true});
    fields.field("cores", device.cores, {.required = true, .minimum = 0});
    fields.field("onednn", device.onednn, {.required = true});
  });
  visitor.table("energy", {}, [this](FieldVisitor& fields) {
    fields.field("source", energy_source, {});
    fields.field("idle_power_w", idle_power_w, {.minimum = 0});
    fields.field("idle_subtracted", idle_subtracted, {});
  });
  visitor.table("data", {}, [this](FieldVisitor& fields) {
    fields.field("name", data_name, {});
    fields.field("validation_images", validation_images, {.minimum = 0});
    fields.field("test_images", test_images, {.minimum = 0});
  });
  visitor.table("measured", {}, [this](FieldVisitor& fields) {
    fields.field("date", date, {});
    fields.field("command", command, {});
    fields.field("bellows", bellows, {});
    fields.field("warm_up_runs", warm_up_runs, {.minimum = 0});
    fields.field("outlier_rule", outlier_rule, {});
    fields.field("rate", rate, {.minimum = 0});
  });
  visitor.tables(
      "points", {.required = true},
      [this](const ConfigValue& table) {
        FieldReader reader(table, "points." + std::to_string(points.size() + 1));
        ProfilePoint point;
        point.visit_fields(reader);
        reader.finish();
        points.push_back(std::move(point));
      },
      [this] {
        ConfigValue::Array array;
        for (ProfilePoint& point : points) {
          FieldWriter writer;
          point.visit_fields(writer);
          array.push_back(writer.value());
        }
        return array;
      });
}

ProfileData read_profile(const std::filesystem::path& path) {
  const std::string name = path.string();
  ProfileData profile = document_data<ProfileData>(read_document(path, kKind));
  check_points(profile, name);
  profile.source = name;
  return profile;
}

void write_profile(const std::filesystem::path& path, ProfileData profile) {
  write_document(path, std::move(profile));
}

}  // namespace bellows::internal
