#include "cli/page_writer.h"

#include <sodium.h>

#include <algorithm>

#include "cli/console.h"
#include "cli/numbers.h"

namespace bellows::cli {
namespace {

using Json = nlohmann::ordered_json;

// Values further apart than this are shown on a logarithmic axis.
constexpr double kLinearRange = 30;
constexpr int kColours = 7;

// std::int64_t must be able to hold it.
bool countable(double value) { return value >= 0 && value < 9e18; }

bool known(const Point& point) { return point.y && std::isfinite(*point.y); }

// Of the points' heights.
bool all_above_zero(const std::vector<Series>& series) {
  return std::ranges::all_of(series, [](const Series& one) {
    return std::ranges::all_of(one.points,
                               [](const Point& point) { return !point.y || *point.y > 0; });
  });
}

// Over all points of all series.
bool spreads_far(const std::vector<Series>& series, double range) {
  double least = HUGE_VAL;
  double most = 0;
  for (const Series& one : series) {
    for (const Point& point : one.points) {
      least = std::min(least, point.x);
      most = std::max(most, point.x);
    }
  }
  return least > 0 && most > range * least;
}

Json axis_json(const Axis& axis, bool logarithmic) {
  Json json = {{"title", axis.title},
               {"unit", axis.unit},
               {"compact", axis.compact},
               {"whole", axis.whole},
               {"logarithmic", logarithmic}};
  const auto add = [&](const char* key, const std::optional<double>& value) {
    if (value) json[key] = *value;
  };
  add("limit", axis.limit);
  add("min", axis.min);
  add("max", axis.max);
  add("step", axis.step);
  return json;
}

}  // namespace

std::string html_text(std::string_view text) {
  std::string escaped;
  for (const char character : mended(text)) {
    switch (character) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += character;
    }
  }
  return escaped;
}

// As the content of a script: nothing in it can end that.
std::string script_json(const Json& value) {
  std::string text = value.dump(-1, ' ', true, Json::error_handler_t::replace);
  for (std::size_t at = 0; (at = text.find('<', at)) != std::string::npos;) {
    text.replace(at, 1, "\\u003c");
  }
  return text;
}

std::string joined(const std::vector<std::string>& texts, const char* between) {
  std::string all;
  for (const std::string& text : texts) all += (all.empty() ? "" : between) + text;
  return all;
}

std::string element(const char* name, const std::string& text) {
  return std::string("<") + name + ">" + html_text(text) + "</" + name + ">\n";
}

std::string note(const std::string& text) {
  return "<p class=\"note\">" + html_text(text) + "</p>\n";
}

std::string share_cell(const std::optional<double>& share) {
  return text_or_unknown(share, percent_text);
}

// With as many digits behind the point as leave three that say something.
std::string number_cell(const std::optional<double>& value) {
  return text_or_unknown(value, [](double number) {
    const double size = std::abs(number);
    return fixed_text(number, size >= 100 || size == 0 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 4);
  });
}

std::string loss_cell(const std::optional<double>& loss) {
  return text_or_unknown(loss, [](double value) { return fixed_text(value, 4); });
}

std::string count_cell(const std::optional<double>& count) {
  return text_or_unknown(count, [](double value) {
    return countable(value) ? scaled_text(std::llround(value)) : scientific_text(value);
  });
}

std::string bytes_cell(const std::optional<double>& bytes) {
  return text_or_unknown(bytes, [](double value) {
    return countable(value) ? bytes_text(std::llround(value)) : scientific_text(value);
  });
}

std::string picture(const std::string& png, const std::string& description) {
  std::string encoded(sodium_base64_encoded_len(png.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
  sodium_bin2base64(encoded.data(), encoded.size(),
                    reinterpret_cast<const unsigned char*>(png.data()), png.size(),
                    sodium_base64_VARIANT_ORIGINAL);
  encoded.pop_back();  // the zero that ends it for C
  return "<img class=\"examples\" src=\"data:image/png;base64," + encoded + "\" alt=\"" +
         html_text(description) + "\">\n";
}

std::string colour(std::size_t index) { return "series-" + std::to_string(index % kColours + 1); }

void Page::Charts::add(const std::string& title, const Axis& x, const Axis& y,
                       std::vector<Series> series) {
  std::erase_if(series, [](const Series& one) {
    return std::none_of(one.points.begin(), one.points.end(), known);
  });
  if (series.empty()) return;
  const std::string id = "chart-" + std::to_string(page_.charts.size() + 1);
  std::vector<std::string> names;
  Json list = Json::array();
  for (const Series& one : series) {
    names.push_back(one.name);
    Json points = Json::array();
    for (const Point& point : one.points) {
      if (!std::isfinite(point.x)) continue;
      Json value = {point.x, known(point) ? Json(*point.y) : Json()};
      if (!point.note.empty() || !point.label.empty()) value.push_back(point.note);
      if (!point.label.empty()) value.push_back(point.label);
      points.push_back(std::move(value));
    }
    list.push_back({{"name", one.name},
                    {"colour", one.colour},
                    {"dash", one.dash},
                    {"marker", one.marker},
                    {"line", one.line},
                    {"markers", one.markers},
                    {"stepped", one.stepped},
                    {"points", std::move(points)}});
  }
  page_.charts.push_back(
      {{"id", id},
       {"title", title},
       {"x", axis_json(x, (x.may_be_logarithmic && spreads_far(series, kLinearRange)) ||
                              (x.logarithmic && spreads_far(series, 1)))},
       {"y", axis_json(y, y.logarithmic && all_above_zero(series))},
       {"series", std::move(list)}});
  text_ += "<figure>\n" + element("figcaption", title) + "<div class=\"chart\"><canvas id=\"" + id +
           "\" role=\"img\" aria-label=\"" +
           html_text("Chart: " + title + ", of " + joined(names, "; ") +
                     ". The figures are in the tables.") +
           "\"></canvas></div>\n</figure>\n";
}

}  // namespace bellows::cli
