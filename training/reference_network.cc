#include "training/reference_network.h"

#include <bellows/error.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

namespace bellows {
namespace {

[[noreturn]] void fail(const std::string& problem) {
  throw Error(ErrorCode::kInvalidArgument, "reference network: " + problem);
}

std::size_t index_of(int number) { return static_cast<std::size_t>(number); }

void require_group(const Network& network, int group) {
  if (group < 1 || group > network.groups()) {
    fail("group " + std::to_string(group) + " is not one of 1 to " +
         std::to_string(network.groups()));
  }
}

}  // namespace

double reference_cross_entropy(const std::vector<double>& logits, const std::vector<int>& labels,
                               int classes, double label_smoothing,
                               std::vector<double>& diff_logits) {
  const std::size_t batch = labels.size();
  if (classes < 1 || batch == 0 || logits.size() != batch * index_of(classes)) {
    fail(std::to_string(logits.size()) + " logits of " + std::to_string(classes) +
         " classes do not fit " + std::to_string(batch) + " labels");
  }
  diff_logits.assign(logits.size(), 0.0);
  double loss = 0;
  for (std::size_t n = 0; n < batch; ++n) {
    if (labels[n] < 0 || labels[n] >= classes) {
      fail("label " + std::to_string(labels[n]) + " is not one of " + std::to_string(classes) +
           " classes");
    }
    const double* row = logits.data() + n * index_of(classes);
    double* diff_row = diff_logits.data() + n * index_of(classes);
    const double largest = *std::max_element(row, row + classes);
    double sum = 0;
    for (int c = 0; c < classes; ++c) sum += std::exp(row[c] - largest);
    for (int c = 0; c < classes; ++c) {
      const double target = (c == labels[n] ? 1 - label_smoothing : 0) + label_smoothing / classes;
      const double log_probability = row[c] - largest - std::log(sum);
      loss -= target * log_probability;
      diff_row[c] = (std::exp(log_probability) - target) / static_cast<double>(batch);
    }
  }
  return loss / static_cast<double>(batch);
}

ReferenceNetwork::ReferenceNetwork(const Network& network)
    : network_(network), parameters_(network.nodes().size()), values_(network.tensors().size()) {
  for (int group = 1; group <= network.groups(); ++group) {
    for (const ParameterKey& key : network.parameters(group)) {
      parameters_[index_of(key.node)][{group, key.spec.role}].assign(
          static_cast<std::size_t>(key.spec.elements()), 0.0);
    }
  }
}

const std::vector<double>& ReferenceNetwork::parameter(int group, int node,
                                                       ParameterRole role) const {
  if (node >= 0 && node < static_cast<int>(parameters_.size())) {
    const ReferenceParameters& of_node = parameters_[index_of(node)];
    const auto found = of_node.find({group, role});
    if (found != of_node.end()) return found->second;
  }
  fail("there is no " + std::string(parameter_role_name(role)) + " of group " +
       std::to_string(group) + " at node " + std::to_string(node));
}

void ReferenceNetwork::set_parameter(int group, int node, ParameterRole role,
                                     std::vector<double> values) {
  const std::size_t need = parameter(group, node, role).size();
  if (values.size() != need) {
    fail(std::string(parameter_role_name(role)) + " of group " + std::to_string(group) +
         " of layer '" + network_.nodes()[index_of(node)].layer->name() + "' needs " +
         std::to_string(need) + " values, " + std::to_string(values.size()) + " were given");
  }
  parameters_[index_of(node)][{group, role}] = std::move(values);
}

std::vector<std::vector<float>> ReferenceNetwork::group_parameters(int group) const {
  require_group(network_, group);
  std::vector<std::vector<float>> parameters;
  for (const ParameterKey& key : network_.parameters(group)) {
    std::vector<float>& values = parameters.emplace_back();
    for (const double value : parameter(group, key.node, key.spec.role)) {
      values.push_back(static_cast<float>(value));
    }
  }
  return parameters;
}

void ReferenceNetwork::set_group_parameters(int group,
                                            const std::vector<std::vector<float>>& parameters) {
  require_group(network_, group);
  const std::vector<ParameterKey> keys = network_.parameters(group);
  if (parameters.size() != keys.size()) {
    fail("group " + std::to_string(group) + " owns " + std::to_string(keys.size()) +
         " parameters, " + std::to_string(parameters.size()) + " were given");
  }
  for (std::size_t i = 0; i < keys.size(); ++i) {
    set_parameter(group, keys[i].node, keys[i].spec.role,
                  {parameters[i].begin(), parameters[i].end()});
  }
}

void ReferenceNetwork::begin(const std::vector<double>& images) {
  const auto elements = static_cast<std::size_t>(network_.input_elements());
  if (images.empty() || images.size() % elements != 0) {
    fail(std::to_string(images.size()) + " values are no batch of images of " +
         std::to_string(elements) + " values");
  }
  batch_ = static_cast<int>(images.size() / elements);
  for (GroupedValues& tensor : values_) tensor.clear();
  values_.front() = {images};
}

ReferenceNode ReferenceNetwork::reference_node(int node, GroupRange groups,
                                               const ReferenceLearningOptions* learning) {
  const Node& place = network_.nodes()[index_of(node)];
  ReferenceNode made;
  made.layer = place.layer;
  made.site = place.site;
  made.batch = batch_;
  made.groups = groups;
  made.learning = learning != nullptr;
  made.parameters = &parameters_[index_of(node)];
  if (learning != nullptr) {
    const auto factors = learning->dropout_factors.find(node);
    if (factors != learning->dropout_factors.end()) made.dropout_factors = &factors->second;
  }
  return made;
}

void ReferenceNetwork::run(GroupRange groups, const ReferenceLearningOptions* learning) {
  for (int node = 0; node < static_cast<int>(network_.nodes().size()); ++node) {
    const Node& place = network_.nodes()[index_of(node)];
    const GroupedValues* shortcut =
        place.shortcut < 0 ? nullptr : &values_[index_of(place.shortcut)];
    reference_forward(reference_node(node, groups, learning), values_[index_of(place.src)],
                      shortcut, values_[index_of(place.dst)]);
  }
}

const GroupedValues& ReferenceNetwork::forward(const std::vector<double>& images, int width) {
  if (width < 1 || width > network_.groups()) {
    fail("width " + std::to_string(width) + " is not one of 1 to " +
         std::to_string(network_.groups()));
  }
  begin(images);
  run({1, width}, nullptr);
  return values_.back();
}

ReferenceLearning ReferenceNetwork::learn(const std::vector<double>& images,
                                          const std::vector<int>& labels, GroupRange trainable,
                                          const ReferenceLearningOptions& options) {
  if (trainable.first < 1 || trainable.last > network_.groups() || trainable.size() < 1) {
    fail("groups " + std::to_string(trainable.first) + " to " + std::to_string(trainable.last) +
         " cannot be trained, the network has " + std::to_string(network_.groups()));
  }
  begin(images);
  if (trainable.first > 1) run({1, trainable.first - 1}, nullptr);
  run(trainable, &options);

  ReferenceLearning result;
  result.gradients.resize(network_.nodes().size());
  std::vector<GroupedValues> diffs(values_.size());
  for (std::size_t tensor = 1; tensor < values_.size(); ++tensor) {
    diffs[tensor].resize(index_of(trainable.last));
    for (int group = trainable.first; group <= trainable.last; ++group) {
      diffs[tensor][index_of(group - 1)].assign(values_[tensor][index_of(group - 1)].size(), 0.0);
    }
  }
  for (int width = trainable.first; width <= trainable.last; ++width) {
    result.loss +=
        reference_cross_entropy(values_.back()[index_of(width - 1)], labels, network_.classes(),
                                options.label_smoothing, diffs.back()[index_of(width - 1)]);
  }
  for (int node = static_cast<int>(network_.nodes().size()) - 1; node >= 0; --node) {
    const Node& place = network_.nodes()[index_of(node)];
    ReferenceGradients gradients;
    gradients.diff_src = place.src == 0 ? nullptr : &diffs[index_of(place.src)];
    gradients.diff_shortcut = place.shortcut < 0 ? nullptr : &diffs[index_of(place.shortcut)];
    gradients.parameters = &result.gradients[index_of(node)];
    reference_backward(reference_node(node, trainable, &options), values_[index_of(place.src)],
                       diffs[index_of(place.dst)], gradients);
  }
  return result;
}

const GroupedValues& ReferenceNetwork::values(int tensor) const {
  if (tensor < 0 || tensor >= static_cast<int>(values_.size())) {
    fail("tensor " + std::to_string(tensor) + " is not one of 0 to " +
         std::to_string(values_.size() - 1));
  }
  return values_[index_of(tensor)];
}

}  // namespace bellows
