#include "engine/policy_data.h"

#include <bellows/error.h>

#include <algorithm>
#include <cmath>

#include "engine/json_document.h"
#include "engine/policy_rule.h"
#include "engine/sha256.h"

namespace bellows::internal {
namespace {

constexpr DocumentKind kKind = {.format = "bellows policies",
                                .version = 1,
                                .name = "file of policies",
                                .maker = "bellows tune"};
// Shares are written with all their digits.
constexpr double kShareTolerance = 1e-6;
constexpr double kMostCost = 1e18;
constexpr double kMostTemperature = 1e6;
// Selectors of a model. The keys of so many alone are more than its header holds.
constexpr double kMostSelectors = 1 << 18;

std::string point_name(std::size_t index, const PolicyPoint& point) {
  return "point " + std::to_string(index + 1) + " (" + point.kind + ")";
}

void check_score(const PolicyScore& score, std::size_t groups, const std::string& name,
                 const std::string& file) {
  if (score.stopped.empty() || score.stopped.size() > groups) {
    throw_corrupt(file, name + ": 'stopped' has " + std::to_string(score.stopped.size()) +
                            " entries, the model has " + std::to_string(groups) + " widths");
  }
  double sum = 0;
  for (const double share : score.stopped) sum += share;
  if (std::abs(sum - 1) > kShareTolerance) {
    throw_corrupt(file, name + ": 'stopped' sums up to " + std::to_string(sum) + ", it must be 1");
  }
}

// Whether it stops where the model has widths, and its figures say so.
void check_points(const PolicyData& data, const std::string& file) {
  if (data.points.empty()) throw_corrupt(file, "has no points");
  const std::size_t groups = data.group_sha256.size();
  if (groups == 0) throw_corrupt(file, "names no groups of its model ('model.group_sha256')");
  if (data.width_costs.size() != groups || !(data.width_costs.back() > 0)) {
    throw_corrupt(file, "has " + std::to_string(data.width_costs.size()) +
                            " costs ('cost.widths'); give one above 0 for each of " +
                            std::to_string(groups) + " widths");
  }
  for (std::size_t i = 0; i < data.points.size(); ++i) {
    const PolicyPoint& point = data.points[i];
    const std::string name = point_name(i, point);
    const bool fits = point.kind == "thresholds" ? point.thresholds.size() + 1 == groups
                                                 : static_cast<std::size_t>(point.width) <= groups;
    if (!fits) {
      throw_corrupt(file,
                    name +
                        (point.kind == "thresholds"
                             ? " has " + std::to_string(point.thresholds.size()) + " thresholds"
                             : " has width " + std::to_string(point.width)) +
                        "; the model has " + std::to_string(groups) + " widths");
    }
    if (point.kind == "mixture" && point.parts.size() != point.shares.size()) {
      throw_corrupt(file, name + " has " + std::to_string(point.parts.size()) + " parts and " +
                              std::to_string(point.shares.size()) + " shares");
    }
    check_score(point.tuning, groups, name + ", 'tuning'", file);
    if (point.test) check_score(*point.test, groups, name + ", 'test'", file);
  }
  // What is saved is told against them.
  for (std::size_t i = 0; i < groups; ++i) {
    if (i < data.points.size() && data.points[i].kind == "width" &&
        static_cast<std::size_t>(data.points[i].width) == i + 1) {
      continue;
    }
    throw_corrupt(file, "does not begin with the plain widths: point " + std::to_string(i + 1) +
                            " must be width " + std::to_string(i + 1));
  }
}

Confidence confidence_of_name(const std::string& name) {
  for (const Confidence kind : {Confidence::kMargin, Confidence::kEntropy}) {
    if (name == confidence_name(kind)) return kind;
  }
  return Confidence::kMaxProbability;
}

Policy make_policy(const PolicyPoint& point, const std::vector<Policy>& before,
                   const std::vector<Selector>& selectors) {
  if (point.kind == "thresholds") {
    return Policy::with_thresholds({.confidence = confidence_of_name(point.confidence),
                                    .values = point.thresholds,
                                    .temperatures = point.temperatures});
  }
  if (point.kind == "selector") {
    if (point.selector < 1 || static_cast<std::size_t>(point.selector) > selectors.size()) {
      throw Error(ErrorCode::kInvalidArgument,
                  "selector " + std::to_string(point.selector) +
                      " is not in the model, which has " + std::to_string(selectors.size()) +
                      "; use the model file that 'bellows tune' wrote");
    }
    return selector_policy(selectors[static_cast<std::size_t>(point.selector - 1)], point.selector);
  }
  if (point.kind == "mixture") {
    std::vector<std::pair<Policy, double>> parts;
    for (std::size_t i = 0; i < point.parts.size(); ++i) {
      const int part = point.parts[i];
      if (part < 1 || static_cast<std::size_t>(part) > before.size()) {
        throw Error(ErrorCode::kCorruptData,
                    "part " + std::to_string(part) + " is no point before it");
      }
      // Parts of parts of parts could be more than there is memory for.
      if (before[static_cast<std::size_t>(part - 1)].kind() == PolicyKind::kMixture) {
        throw Error(ErrorCode::kCorruptData,
                    "part " + std::to_string(part) + " is a mixture; name its parts instead");
      }
      parts.emplace_back(before[static_cast<std::size_t>(part - 1)], point.shares[i]);
    }
    return Policy::mixture(parts);
  }
  return Policy::at_width(point.width);
}

// An array of tables of one kind.
template <class Item>
void visit_tables(FieldVisitor& visitor, const char* key, std::vector<Item>& items,
                  const FieldInfo& info) {
  visitor.tables(
      key, info,
      [&items, key](const ConfigValue& table) {
        FieldReader reader(table, std::string(key) + "." + std::to_string(items.size() + 1));
        Item item;
        item.visit_fields(reader);
        reader.finish();
        items.push_back(std::move(item));
      },
      [&items] {
        ConfigValue::Array array;
        for (Item& item : items) {
          FieldWriter writer;
          item.visit_fields(writer);
          array.push_back(writer.value());
        }
        return array;
      });
}

}  // namespace

void PolicyScore::visit_fields(FieldVisitor& visitor) {
  visitor.field("accuracy", accuracy,
                {.help = "share of right answers", .required = true, .minimum = 0, .maximum = 1});
  visitor.field("cost", cost,
                {.help = "mean of an image", .required = true, .minimum = 0, .maximum = kMostCost});
  visitor.field("stopped", stopped,
                {.help = "share of images that stop at each width, from width 1",
                 .required = true,
                 .minimum = 0,
                 .maximum = 1});
  visitor.field("accuracy_interval", accuracy_interval,
                {.help = "95 % of resamplings of the images lie within; or none", .minimum = 0});
  visitor.field("cost_interval", cost_interval, {.help = "likewise", .minimum = 0});
}

void PolicyPoint::visit_fields(FieldVisitor& visitor) {
  visitor.field("kind", kind,
                {.help = "what decides",
                 .required = true,
                 .choices = {"width", "thresholds", "selector", "mixture"}});
  visitor.field("found_by", found_by, {.help = "what found it"});
  // Only what the kind has, so that a file reads well.
  if (kind == "width") {
    visitor.field("width", width, {.help = "of every image", .required = true, .minimum = 1});
  } else if (kind == "thresholds") {
    visitor.field("confidence", confidence,
                  {.help = "what is compared",
                   .required = true,
                   .choices = {"max_probability", "margin", "entropy"}});
    visitor.field("thresholds", thresholds,
                  {.help = "of widths 1, 2, ... but the widest: 0..1, or 2 where nothing stops",
                   .required = true,
                   .minimum = 0,
                   .maximum = Thresholds::kNever});
    visitor.field(
        "temperatures", temperatures,
        {.help = "of the same widths; or none: 1", .minimum = 1e-6, .maximum = kMostTemperature});
  } else if (kind == "selector") {
    visitor.field("selector", selector,
                  {.help = "number in the model file, from 1",
                   .required = true,
                   .minimum = 1,
                   .maximum = kMostSelectors});
  } else {
    visitor.field("parts", parts,
                  {.help = "numbers of points of this file, from 1", .required = true});
    visitor.field("shares", shares,
                  {.help = "of the images, one for each part", .required = true, .minimum = 0});
  }
  visitor.table("tuning", {.help = "on the images that it was tuned on", .required = true},
                [this](FieldVisitor& fields) { tuning.visit_fields(fields); });
  visitor.tables(
      "test", {.help = "on the test images; none or one", .absent_when_empty = true},
      [this](const ConfigValue& table) {
        FieldReader reader(table, "test");
        test.emplace().visit_fields(reader);
        reader.finish();
      },
      [this] {
        ConfigValue::Array array;
        if (!test) return array;
        FieldWriter writer;
        test->visit_fields(writer);
        array.push_back(writer.value());
        return array;
      });
}

void PolicyData::visit_fields(FieldVisitor& visitor) {
  visit_kind(visitor, kKind);
  visitor.table("model", {.required = true}, [this](FieldVisitor& fields) {
    fields.field("file", model_file, {});
    fields.field("name", model_name, {});
    fields.field("group_sha256", group_sha256, {.required = true});
  });
  visitor.table("data", {}, [this](FieldVisitor& fields) {
    fields.field("name", data_name, {});
    fields.field("tuning_images", tuning_images, {.minimum = 0});
    fields.field("test_images", test_images, {.minimum = 0});
  });
  visitor.table("cost", {.required = true}, [this](FieldVisitor& fields) {
    fields.field("kind", cost, {.required = true, .choices = {"macs", "latency_us", "energy_uj"}});
    fields.field("source", cost_source, {});
    fields.field("widths", width_costs, {.required = true, .minimum = 0, .maximum = kMostCost});
  });
  visitor.table("made", {}, [this](FieldVisitor& fields) {
    fields.field("date", date, {});
    fields.field("command", command, {});
    fields.field("bellows", bellows, {});
  });
  visit_tables(visitor, "points", points, {.required = true});
  visit_tables(visitor, "calibration", calibration, {.absent_when_empty = true});
  visit_tables(visitor, "searches", searches, {.absent_when_empty = true});
  visit_tables(visitor, "selectors", selectors, {.absent_when_empty = true});
}

void CalibrationFacts::visit_fields(FieldVisitor& visitor) {
  visitor.field("width", width, {.required = true, .minimum = 1});
  visitor.field("temperature", temperature, {.required = true, .minimum = 1e-6});
  visitor.field("negative_log_likelihood", negative_log_likelihood, {.minimum = 0});
  visitor.field("expected_calibration_error", expected_calibration_error, {.minimum = 0});
  visitor.field("counts", counts, {.minimum = 0});
  visitor.field("confidences", confidences, {.minimum = 0, .maximum = 1});
  visitor.field("accuracies", accuracies, {.minimum = 0, .maximum = 1});
}

void SearchFacts::visit_fields(FieldVisitor& visitor) {
  visitor.field("method", method, {.required = true});
  visitor.field("confidence", confidence, {});
  visitor.field("evaluations", evaluations, {.minimum = 0});
  visitor.field("seconds", seconds, {.minimum = 0});
  visitor.field("hypervolume", hypervolume, {.minimum = 0});
  visitor.field("reference", reference, {.minimum = 0});
}

void SelectorFacts::visit_fields(FieldVisitor& visitor) {
  visitor.field("number", number, {.required = true, .minimum = 1, .maximum = kMostSelectors});
  visitor.field("sha256", sha256, {});
  visitor.field("alpha", alpha, {.required = true, .minimum = 0});
  visitor.field("expected_reward", expected_reward, {});
  visitor.field("variance", variance, {.minimum = 0});
  visitor.field("variance_without_baseline", variance_without_baseline, {.minimum = 0});
}

PolicyData read_policies(const std::filesystem::path& path) {
  const std::string name = path.string();
  PolicyData data = document_data<PolicyData>(read_document(path, kKind));
  check_points(data, name);
  data.source = name;
  return data;
}

void write_policies(const std::filesystem::path& path, PolicyData data) {
  write_document(path, std::move(data));
}

std::string selector_sha256(const Selector& selector) {
  FieldWriter writer;
  // Visiting takes a mutable selector because readers assign; a writer only looks.
  const_cast<Selector&>(selector).visit_fields(writer);
  Sha256 digest;
  digest.update(writer.value().to_json());
  return digest.hex();
}

std::vector<Policy> make_policies(const PolicyData& data, const std::vector<Selector>& selectors) {
  std::vector<Policy> policies;
  policies.reserve(data.points.size());
  for (const PolicyPoint& point : data.points) {
    try {
      policies.push_back(make_policy(point, policies, selectors));
    } catch (const Error& error) {
      // A wrong value in a file makes a corrupt file; only a selector may be missing elsewhere.
      const bool of_file = !data.source.empty() && point.kind != "selector";
      throw Error(of_file ? ErrorCode::kCorruptData : error.code(),
                  (data.source.empty() ? "" : data.source + ": ") +
                      point_name(policies.size(), point) + ": " + error.what());
    }
  }
  return policies;
}

}  // namespace bellows::internal
