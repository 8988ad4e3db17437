#include "engine/onnx_export.h"

#include <bellows/bellows.h>
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <type_traits>
#include <utility>
#include <vector>

#include "engine/atomic_file.h"
#include "engine/fusion.h"
#include "engine/sha256.h"
#include "layers/batch_norm.h"
#include "layers/conv.h"
#include "layers/head.h"
#include "layers/pool.h"

namespace bellows {
namespace {

// Version of the file format that came with the operators (ONNX 1.8).
constexpr int kIrVersion = 7;

// An array of the graph. Layers of features give [N, features], all others maps [N, C, H, W].
struct Value {
  std::string name;
  bool flat = false;
};

// Weights of several groups put together: [rows, columns, inner], inner being the elements of a
// filter (conv) or the pixels of a map (linear, head).
struct Matrix {
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t inner = 1;
  std::vector<float> values;
  std::vector<float> bias;
};

bool is_depthwise(const Node& node) {
  return node.layer->kind() == LayerKind::kConv &&
         static_cast<const Conv&>(*node.layer).depthwise();
}

// Groups of src that the groups in `unit` read between them.
GroupRange columns_of(const LayerSite& site, const GroupRange& unit) {
  return {site.groups_read(unit.first).first, site.groups_read(unit.last).last};
}

// Every group reads only its own channels and all are of one size: ONNX has convolutions for that.
bool apart_and_equal(const LayerSite& site, const GroupRange& unit) {
  if (site.src_is_input || site.connectivity != Connectivity::kGrouped) return false;
  for (int group = unit.first; group <= unit.last; ++group) {
    if (site.src.channels_of(group) != site.src.channels_of(unit.first) ||
        site.dst.channels_of(group) != site.dst.channels_of(unit.first)) {
      return false;
    }
  }
  return true;
}

// Multiply-accumulates of one image that the whole form spends on weights of 0.
std::int64_t macs_with_zeros(const Network& network) {
  const GroupRange all{1, network.groups()};
  std::int64_t macs = 0;
  for (const Node& node : network.nodes()) {
    const LayerSite& site = node.site;
    const bool conv = node.layer->kind() == LayerKind::kConv;
    if ((!conv && node.layer->kind() != LayerKind::kLinear) || site.src_is_input ||
        is_depthwise(node) || (conv && apart_and_equal(site, all))) {
      continue;
    }
    for (int group = 1; group <= network.groups(); ++group) {
      const int read = site.channels_read(group);
      macs += node.layer->macs(site, group) / read * (site.src.channels_in(all) - read);
    }
  }
  return macs;
}

class Exporter {
 public:
  Exporter(const Network& network, const WeightSet& weights, const ModelInfo& info, bool normalise,
           OnnxForm form)
      : network_(network), weights_(weights) {
    const int groups = network.groups();
    if (form == OnnxForm::kSplit) {
      for (int group = 1; group <= groups; ++group) units_.push_back({group, group});
    } else {
      units_.push_back({1, groups});
    }
    if (normalise) {
      mean_ = info.mean;
      stddev_ = info.stddev;
    }
    values_.resize(network.tensors().size());
    values_[0] = {{kOnnxInput, false}};
    declare(*graph_.add_input(), kOnnxInput,
            {-1, network.input().channels_of(1), network.input().height, network.input().width});
    declare(*graph_.add_output(), kOnnxOutput, {-1, network.classes()});
    graph_.set_name("bellows");
  }

  onnx::GraphProto export_graph() {
    for (const FusedNode& fused : fuse(network_)) {
      if (node_of(fused.node).layer->kind() == LayerKind::kHead) {
        emit_head(fused);
        continue;
      }
      std::vector<Value> values;
      values.reserve(units_.size());
      for (const GroupRange& unit : units_) values.push_back(emit(fused, unit));
      values_[static_cast<std::size_t>(fused.dst)] = std::move(values);
    }
    return std::move(graph_);
  }

 private:
  using Attributes = std::vector<std::pair<const char*, std::vector<std::int64_t>>>;

  [[nodiscard]] const Node& node_of(int node) const {
    return network_.nodes()[static_cast<std::size_t>(node)];
  }

  // "conv1", or "conv1.group2" where a layer is several operations.
  [[nodiscard]] std::string name_of(int node, const GroupRange& unit) const {
    const std::string& layer = node_of(node).layer->name();
    return units_.size() == 1 ? layer : layer + ".group" + std::to_string(unit.first);
  }

  // --- What a graph consists of.

  static void declare(onnx::ValueInfoProto& value, const char* name,
                      const std::vector<std::int64_t>& shape) {
    value.set_name(name);
    onnx::TypeProto_Tensor& type = *value.mutable_type()->mutable_tensor_type();
    type.set_elem_type(onnx::TensorProto::FLOAT);
    for (const std::int64_t length : shape) {
      onnx::TensorShapeProto_Dimension& dimension = *type.mutable_shape()->add_dim();
      if (length < 0) {
        dimension.set_dim_param("N");
      } else {
        dimension.set_dim_value(length);
      }
    }
  }

  template <class Element>
  std::string constant(const std::string& name, const std::vector<std::int64_t>& shape,
                       const std::vector<Element>& values) {
    if (!constants_.insert(name).second) return name;
    onnx::TensorProto& tensor = *graph_.add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(std::is_same_v<Element, float> ? onnx::TensorProto::FLOAT
                                                        : onnx::TensorProto::INT64);
    for (const std::int64_t length : shape) tensor.add_dims(length);
    tensor.set_raw_data(values.data(), values.size() * sizeof(Element));
    return name;
  }

  // Adds an operation; returns its output's name.
  std::string operation(const char* type, const std::string& name,
                        const std::vector<std::string>& inputs, const Attributes& lists = {},
                        const std::vector<std::pair<const char*, std::int64_t>>& numbers = {},
                        const char* output = nullptr) {
    onnx::NodeProto& node = *graph_.add_node();
    node.set_op_type(type);
    node.set_name(name);
    for (const std::string& input : inputs) node.add_input(input);
    node.add_output(output == nullptr ? name + ".dst" : output);
    for (const auto& [key, list] : lists) {
      onnx::AttributeProto& attribute = *node.add_attribute();
      attribute.set_name(key);
      attribute.set_type(onnx::AttributeProto::INTS);
      for (const std::int64_t number : list) attribute.add_ints(number);
    }
    for (const auto& [key, number] : numbers) {
      onnx::AttributeProto& attribute = *node.add_attribute();
      attribute.set_name(key);
      attribute.set_type(onnx::AttributeProto::INT);
      attribute.set_i(number);
    }
    return node.output(0);
  }

  // --- Reading what other layers made.

  // The groups `range` of a tensor; the network's input as it is.
  Value read(int tensor, const GroupRange& range) {
    const std::vector<Value>& pieces = values_[static_cast<std::size_t>(tensor)];
    if (pieces.size() == 1) return pieces.front();
    const auto piece = [&](int group) -> const Value& {
      return pieces[static_cast<std::size_t>(group - 1)];
    };
    if (range.size() == 1) return piece(range.first);
    Value& joined = joined_[{tensor, range.last}];
    if (joined.name.empty()) {
      std::vector<std::string> inputs;
      for (int group = range.first; group <= range.last; ++group) {
        inputs.push_back(piece(group).name);
      }
      const std::string name = network_.tensors()[static_cast<std::size_t>(tensor)].name +
                               ".groups1to" + std::to_string(range.last);
      joined = {operation("Concat", name, inputs, {}, {{"axis", 1}}), pieces.front().flat};
    }
    return joined;
  }

  // Names of outputs are made from the names of their operations, so a change of shape that
  // somebody else has made already is found by its name.
  template <class Make>
  std::string once(const std::string& name, const Make& make) {
    return changed_.insert(name).second ? make() : name + ".dst";
  }

  std::string as_map(const Value& value, std::int64_t channels) {
    if (!value.flat) return value.name;
    const std::string name = value.name + ".map";
    return once(name, [&] {
      const std::string shape = constant("map_of_" + std::to_string(channels), {4},
                                         std::vector<std::int64_t>{-1, channels, 1, 1});
      return operation("Reshape", name, {value.name, shape});
    });
  }

  std::string as_features(const Value& value) {
    if (value.flat) return value.name;
    const std::string name = value.name + ".features";
    return once(name, [&] { return operation("Flatten", name, {value.name}, {}, {{"axis", 1}}); });
  }

  // --- Weights.

  // A layer's groups in `unit`, one below the other. Where `side_by_side`, each reads the columns
  // of its own groups within `columns` and has zeros in the others; else all have the same columns,
  // as for operations that are told of groups.
  [[nodiscard]] Matrix weights_of(const FusedNode& fused, const GroupRange& unit,
                                  const GroupRange& columns, bool side_by_side) const {
    const Node& node = node_of(fused.node);
    const LayerSite& site = node.site;
    Matrix matrix;
    for (int group = unit.first; group <= unit.last; ++group) {
      const ParameterSpec spec = node.layer->parameters(site, group).front();
      const std::int64_t own_columns = is_depthwise(node) ? 1 : site.channels_read(group);
      const std::int64_t rows = spec.dims[0];
      const std::int64_t before =
          side_by_side && !site.src_is_input
              ? site.src.channels_in({columns.first, site.groups_read(group).first - 1})
              : 0;
      matrix.inner = spec.elements() / (rows * own_columns);
      matrix.columns = side_by_side ? site.src.channels_in(columns) : own_columns;
      matrix.values.resize(
          static_cast<std::size_t>((matrix.rows + rows) * matrix.columns * matrix.inner));
      const std::vector<float> scale = folded_scale(network_, weights_, fused, group);
      const auto from = weights_.values(group, fused.node, ParameterRole::kWeight);
      const std::int64_t row_elements = own_columns * matrix.inner;
      for (std::int64_t row = 0; row < rows; ++row) {
        const float factor = scale.empty() ? 1.0F : scale[static_cast<std::size_t>(row)];
        float* to =
            matrix.values.data() + ((matrix.rows + row) * matrix.columns + before) * matrix.inner;
        for (std::int64_t i = 0; i < row_elements; ++i) {
          to[i] = from[static_cast<std::size_t>(row * row_elements + i)] * factor;
        }
      }
      const std::vector<float> bias = folded_bias(network_, weights_, fused, group);
      matrix.bias.insert(matrix.bias.end(), bias.begin(), bias.end());
      matrix.rows += rows;
    }
    return matrix;
  }

  // The image, less its mean where that cannot be had from the bias: zeros around it stand for the
  // mean. What remains of the normalisation goes into `matrix`, exactly.
  std::string normalised_input(Matrix& matrix, bool padded) {
    if (mean_.empty()) return kOnnxInput;
    for (std::int64_t row = 0; row < matrix.rows; ++row) {
      double moved = 0;
      for (std::int64_t channel = 0; channel < matrix.columns; ++channel) {
        const auto c = static_cast<std::size_t>(channel);
        float* filter = matrix.values.data() + (row * matrix.columns + channel) * matrix.inner;
        for (std::int64_t i = 0; i < matrix.inner; ++i) {
          filter[i] = static_cast<float>(filter[i] / stddev_[c]);
          moved += filter[i] * mean_[c];
        }
      }
      if (!padded) {
        float& bias = matrix.bias[static_cast<std::size_t>(row)];
        bias = static_cast<float>(bias - moved);
      }
    }
    if (!padded) return kOnnxInput;
    const std::string centred = std::string(kOnnxInput) + ".centred";
    return once(centred, [&] {
      const std::string mean = constant("mean", {static_cast<std::int64_t>(mean_.size()), 1, 1},
                                        std::vector<float>(mean_.begin(), mean_.end()));
      return operation("Sub", centred, {kOnnxInput, mean});
    });
  }

  // --- Layers.

  Value emit(const FusedNode& fused, const GroupRange& unit) {
    Value value = emit_node(fused, unit);
    if (fused.sum >= 0) value = emit_sum(fused.sum, unit, value);
    if (fused.activation >= 0) value = emit_activation(fused.activation, unit, value);
    return value;
  }

  Value emit_node(const FusedNode& fused, const GroupRange& unit) {
    const Node& node = node_of(fused.node);
    Value src = node.site.src_is_input ? Value{} : read(node.src, unit);
    switch (node.layer->kind()) {
      case LayerKind::kConv:
        return emit_conv(fused, unit);
      case LayerKind::kBatchNorm:
        return emit_batch_norm(fused.node, unit, src);
      case LayerKind::kRelu:
      case LayerKind::kRelu6:
        return emit_activation(fused.node, unit, src);
      case LayerKind::kMaxPool:
      case LayerKind::kAvgPool:
        return emit_pool(fused.node, unit, src);
      case LayerKind::kGlobalAvgPool:
        return {operation("GlobalAveragePool", name_of(fused.node, unit),
                          {as_map(src, node.site.src.channels_in(unit))}),
                false};
      case LayerKind::kDropout:
        return src;
      case LayerKind::kLinear:
        return emit_linear(fused, unit);
      case LayerKind::kResidual:
        return emit_sum(fused.node, unit, src);
      case LayerKind::kHead:
        break;  // has no groups of its own; see emit_head
    }
    node.layer->fail("cannot be exported as ONNX");
  }

  Value emit_conv(const FusedNode& fused, const GroupRange& unit) {
    const Node& node = node_of(fused.node);
    const auto& conv = static_cast<const Conv&>(*node.layer);
    const LayerSite& site = node.site;
    const GroupRange columns = columns_of(site, unit);
    std::int64_t blocks = 1;
    if (conv.depthwise()) {
      blocks = site.dst.channels_in(unit);
    } else if (apart_and_equal(site, unit)) {
      blocks = unit.size();
    }
    Matrix matrix = weights_of(fused, unit, columns, blocks == 1 && !conv.depthwise());
    const bool padded = conv.padding().height > 0 || conv.padding().width > 0;
    const std::string src = site.src_is_input
                                ? normalised_input(matrix, padded)
                                : as_map(read(node.src, conv.depthwise() ? unit : columns),
                                         site.src.channels_in(conv.depthwise() ? unit : columns));
    const std::string name = name_of(fused.node, unit);
    const Size2 kernel = conv.kernel();
    return {operation("Conv", name,
                      {src,
                       constant(name + ".weight",
                                {matrix.rows, matrix.columns, kernel.height, kernel.width},
                                matrix.values),
                       constant(name + ".bias", {matrix.rows}, matrix.bias)},
                      window(kernel, conv.stride(), conv.padding()), {{"group", blocks}}),
            false};
  }

  static Attributes window(Size2 kernel, Size2 stride, Size2 padding) {
    return {{"kernel_shape", {kernel.height, kernel.width}},
            {"strides", {stride.height, stride.width}},
            {"pads", {padding.height, padding.width, padding.height, padding.width}}};
  }

  Value emit_linear(const FusedNode& fused, const GroupRange& unit) {
    const Node& node = node_of(fused.node);
    const GroupRange columns = columns_of(node.site, unit);
    Matrix matrix = weights_of(fused, unit, columns, /*side_by_side=*/true);
    const Value src = node.site.src_is_input ? Value{normalised_input(matrix, false), false}
                                             : read(node.src, columns);
    return {gemm(name_of(fused.node, unit), src, matrix), true};
  }

  std::string gemm(const std::string& name, const Value& src, const Matrix& matrix,
                   const char* output = nullptr) {
    return operation(
        "Gemm", name,
        {as_features(src),
         constant(name + ".weight", {matrix.rows, matrix.columns * matrix.inner}, matrix.values),
         constant(name + ".bias", {matrix.rows}, matrix.bias)},
        {}, {{"transB", 1}}, output);
  }

  // The classifier of the widest width. An additive head is one over all features too: its columns
  // are those of all groups, its bias their sum.
  void emit_head(const FusedNode& fused) {
    const Node& node = node_of(fused.node);
    const LayerSite& site = node.site;
    const int groups = network_.groups();
    const auto& head = static_cast<const Head&>(*node.layer);
    const bool additive = head.mode() == HeadMode::kAdditive;
    Matrix matrix;
    matrix.rows = network_.classes();
    matrix.columns = site.src.channels_in({1, groups});
    matrix.inner = site.src.pixels();
    matrix.values.resize(static_cast<std::size_t>(matrix.rows * matrix.columns * matrix.inner));
    matrix.bias.resize(static_cast<std::size_t>(matrix.rows));
    for (int group = additive ? 1 : groups; group <= groups; ++group) {
      const GroupRange read_here = head.groups_read(site, group);
      const std::int64_t before = site.src.channels_in({1, read_here.first - 1}) * matrix.inner;
      const std::int64_t length = site.src.channels_in(read_here) * matrix.inner;
      const auto from = weights_.values(group, fused.node, ParameterRole::kWeight);
      const auto bias = weights_.values(group, fused.node, ParameterRole::kBias);
      for (std::int64_t row = 0; row < matrix.rows; ++row) {
        std::copy_n(from.begin() + row * length, length,
                    matrix.values.begin() + row * matrix.columns * matrix.inner + before);
        matrix.bias[static_cast<std::size_t>(row)] += bias[static_cast<std::size_t>(row)];
      }
    }
    gemm(node.layer->name(), read(node.src, {1, groups}), matrix, kOnnxOutput);
  }

  Value emit_batch_norm(int node, const GroupRange& unit, const Value& src) {
    const std::string name = name_of(node, unit);
    std::vector<std::string> inputs{src.name};
    for (const ParameterRole role : {ParameterRole::kScale, ParameterRole::kShift,
                                     ParameterRole::kMean, ParameterRole::kVariance}) {
      std::vector<float> values;
      for (int group = unit.first; group <= unit.last; ++group) {
        const auto of_group = weights_.values(group, node, role);
        values.insert(values.end(), of_group.begin(), of_group.end());
      }
      inputs.push_back(constant(name + "." + parameter_role_name(role),
                                {static_cast<std::int64_t>(values.size())}, values));
    }
    const std::string dst = operation("BatchNormalization", name, inputs);
    onnx::AttributeProto& epsilon = *graph_.mutable_node(graph_.node_size() - 1)->add_attribute();
    epsilon.set_name("epsilon");
    epsilon.set_type(onnx::AttributeProto::FLOAT);
    epsilon.set_f(
        static_cast<float>(static_cast<const BatchNorm&>(*node_of(node).layer).epsilon()));
    return {dst, src.flat};
  }

  Value emit_activation(int node, const GroupRange& unit, const Value& src) {
    const std::string name = name_of(node, unit);
    if (node_of(node).layer->kind() == LayerKind::kRelu) {
      return {operation("Relu", name, {src.name}), src.flat};
    }
    const std::string zero = constant("zero", {}, std::vector<float>{0});
    const std::string six = constant("six", {}, std::vector<float>{6});
    return {operation("Clip", name, {src.name, zero, six}), src.flat};
  }

  Value emit_pool(int node, const GroupRange& unit, const Value& src) {
    const auto& pool = static_cast<const Pool&>(*node_of(node).layer);
    const bool max = pool.kind() == LayerKind::kMaxPool;
    return {operation(max ? "MaxPool" : "AveragePool", name_of(node, unit),
                      {as_map(src, node_of(node).site.src.channels_in(unit))},
                      window(pool.kernel(), pool.stride(), pool.padding())),
            false};
  }

  // `body` and the shortcut of the residual block `node`.
  Value emit_sum(int node, const GroupRange& unit, const Value& body) {
    const Value shortcut = read(node_of(node).shortcut, unit);
    const std::int64_t channels = node_of(node).site.dst.channels_in(unit);
    const bool flat = body.flat && shortcut.flat;
    return {operation("Add", name_of(node, unit),
                      {flat ? body.name : as_map(body, channels),
                       flat ? shortcut.name : as_map(shortcut, channels)}),
            flat};
  }

  const Network& network_;
  const WeightSet& weights_;
  std::vector<double> mean_;  // with stddev_: to be applied to the input; or empty
  std::vector<double> stddev_;
  std::vector<GroupRange> units_;                // groups that one operation computes
  std::vector<std::vector<Value>> values_;       // by tensor, then unit
  std::map<std::pair<int, int>, Value> joined_;  // by tensor and last group
  std::set<std::string> constants_;
  std::set<std::string> changed_;
  onnx::GraphProto graph_;
};

// Both forms were measured in ONNX Runtime over the networks of configs/: an operation more takes
// about as long as this many multiply-accumulates.
constexpr std::int64_t kMacsOfAnOperation = 400'000;

onnx::GraphProto graph_of(const Network& network, const WeightSet& weights, const ModelInfo& info,
                          const OnnxOptions& options) {
  const auto in_form = [&](OnnxForm form) {
    return Exporter(network, weights, info, options.normalise, form).export_graph();
  };
  if (options.form != OnnxForm::kFastest) return in_form(options.form);
  onnx::GraphProto whole = in_form(OnnxForm::kWhole);
  onnx::GraphProto split = in_form(OnnxForm::kSplit);
  const std::int64_t added = split.node_size() - whole.node_size();
  return macs_with_zeros(network) > added * kMacsOfAnOperation ? split : whole;
}

void add_metadata(onnx::ModelProto& model, const char* key, const std::string& value) {
  onnx::StringStringEntryProto& entry = *model.add_metadata_props();
  entry.set_key(std::string("bellows.") + key);
  entry.set_value(value);
}

// What the model came from, for whoever finds the file.
void describe(onnx::ModelProto& model, const Network& network, const WeightSet& weights,
              const ModelInfo& info, bool normalise) {
  std::vector<std::string> hashes;
  for (int group = 1; group <= network.groups(); ++group) {
    hashes.push_back(sha256_hex(weights.group_bytes(group)));
  }
  add_metadata(model, "version", version());
  add_metadata(model, "width", std::to_string(network.groups()));
  add_metadata(model, "groups_sha256", nlohmann::json(hashes).dump());
  if (!info.classes.empty()) add_metadata(model, "classes", nlohmann::json(info.classes).dump());
  if (info.mean.empty()) return;
  add_metadata(model, "mean", nlohmann::json(info.mean).dump());
  add_metadata(model, "stddev", nlohmann::json(info.stddev).dump());
  add_metadata(model, "normalisation", normalise ? "inside" : "outside");
}

void check(const Network& network, const WeightSet& weights, const ModelInfo& info,
           const OnnxOptions& options) {
  const auto refuse = [](const std::string& problem) {
    throw Error(ErrorCode::kInvalidArgument, "ONNX export: " + problem);
  };
  if (options.width < 0 || options.width > network.groups()) {
    refuse("width " + std::to_string(options.width) + " was asked for; the model has widths 1 to " +
           std::to_string(network.groups()));
  }
  if (!weights.fits(network)) refuse("the weights are not those of the network");
  const auto channels = static_cast<std::size_t>(network.input().channels_of(1));
  if (info.mean.size() != info.stddev.size() ||
      (!info.mean.empty() && info.mean.size() != channels)) {
    refuse("the normalisation has " + std::to_string(info.mean.size()) + " means and " +
           std::to_string(info.stddev.size()) + " deviations; images have " +
           std::to_string(channels) + " channels");
  }
}

}  // namespace

std::string onnx_model(const Network& network, const WeightSet& weights, const ModelInfo& info,
                       const OnnxOptions& options) {
  check(network, weights, info, options);
  const Network narrow =
      network.first_groups(options.width == 0 ? network.groups() : options.width);
  onnx::ModelProto model;
  model.set_ir_version(kIrVersion);
  model.set_producer_name("bellows");
  model.set_producer_version(version());
  model.add_opset_import()->set_version(kOnnxOpset);
  describe(model, narrow, weights, info, options.normalise);
  *model.mutable_graph() = graph_of(narrow, weights, info, options);
  if (model.ByteSizeLong() > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) {
    throw Error(ErrorCode::kUnsupported,
                "ONNX export: the model would take " + std::to_string(model.ByteSizeLong()) +
                    " bytes, an ONNX file holds 2147483647; export a narrower width");
  }
  return model.SerializeAsString();
}

void save_onnx_model(const std::filesystem::path& path, const Network& network,
                     const WeightSet& weights, const ModelInfo& info, const OnnxOptions& options) {
  write_file_atomically(path, onnx_model(network, weights, info, options));
}

}  // namespace bellows
