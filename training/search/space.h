// A space of architectures: what a search may build networks of, as a configuration describes it.
// A network is a stem, stages of blocks at maps that get smaller, and what turns the last map into
// logits. docs/search.md is the user's side.
#pragma once

#include <string>
#include <vector>

#include "engine/network.h"
#include "layers/fields.h"
#include "training/search/domain.h"

namespace bellows {

/// Table `space.stem`: the first convolution, batch normalisation and ReLU.
struct StemSpace {
  std::vector<int> kernels = {3};
  std::vector<int> channels = {16};  ///< of group 1
  std::vector<int> strides = {1};

  void visit_fields(FieldVisitor& visitor);
};

/// One of the tables `space.stages`. Every list names what may be chosen.
struct StageSpace {
  std::vector<int> blocks = {1};                    ///< how many blocks, one after the other
  std::vector<std::string> operations = {"conv3"};  ///< of each block
  std::vector<int> channels = {16};                 ///< of group 1, after the stage
  std::vector<std::string> shortcuts = {"none"};    ///< around each block
  std::vector<std::string> pools = {"max2"};        ///< how the stage ends

  void visit_fields(FieldVisitor& visitor);
};

/// Table `space`.
struct SpaceConfig {
  std::vector<int> groups = {1};
  std::vector<std::string> connectivity = {"triangular"};
  std::vector<std::string> heads = {"per_width"};
  std::vector<double> shares = {1};  ///< channels of each further group, by those of the first
  int multiple = 16;                 ///< channels are rounded to multiples of this
  StemSpace stem;
  std::vector<StageSpace> stages;
  std::vector<std::string> ends = {"average"};
  std::vector<int> hidden = {0};  ///< features of a linear layer before the head, group 1; 0: none

  void visit_fields(FieldVisitor& visitor);
};

/// Table `network`: what all networks of the space have in common.
struct TaskConfig {
  std::vector<int> input;  ///< [channels, height, width]
  int classes = 0;

  void visit_fields(FieldVisitor& visitor);
};

/// The points of a space, and the network that each one is.
class ArchitectureSpace {
 public:
  /// Throws Error(kInvalidArgument) for a space in which nothing can be built.
  ArchitectureSpace(TaskConfig task, SpaceConfig config);

  /// Lists with one entry are no dimensions. Points that are one network are one point.
  [[nodiscard]] const std::vector<Dimension>& dimensions() const { return dimensions_; }
  /// Sets what means nothing to 0.
  void settle(SearchPoint& point) const;
  /// How many groups, and so widths.
  [[nodiscard]] int groups(const SearchPoint& point) const;
  [[nodiscard]] int most_groups() const;
  /// The table `network` of a configuration. It may not be possible: a map may vanish.
  [[nodiscard]] ConfigValue describe(const SearchPoint& point) const;
  /// One line for people: "2 groups, triangular, per_width; conv3 16; conv3 conv5 32 max2; ...".
  [[nodiscard]] std::string text(const SearchPoint& point) const;

 private:
  struct Choices;
  class Builder;

  /// The position of the choice that `name` stands for; 0 where there is only one.
  [[nodiscard]] std::size_t choice(const SearchPoint& point, const std::string& name) const;
  void set(SearchPoint& point, const std::string& name, std::size_t value) const;
  void add(const std::string& name, std::vector<double> positions);
  void add(const std::string& name, std::size_t choices);
  [[nodiscard]] std::vector<std::string> operations(const SearchPoint& point,
                                                    std::size_t stage) const;

  TaskConfig task_;
  SpaceConfig config_;
  std::vector<Dimension> dimensions_;
};

}  // namespace bellows
