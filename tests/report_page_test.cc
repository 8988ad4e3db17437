#include "cli/report_page.h"
#include "cli/page_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/headless_browser.h"
#include "tests/report_files.h"

namespace bellows::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Json = nlohmann::json;

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t number = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) {
    ++number;
  }
  return number;
}

ReportData read_texts(const std::vector<std::pair<std::string, std::string>>& files) {
  const std::filesystem::path folder = fresh_folder();
  std::vector<std::filesystem::path> paths;
  paths.reserve(files.size());
  for (const auto& [name, text] : files) paths.push_back(write_text(folder / name, text));
  return read_report_data(paths);
}

// One of each kind.
ReportData every_kind() {
  ReportData data = read_texts({{"lenet.json", profile_json().dump()},
                                {"training.jsonl", training_log()},
                                {"stream.jsonl", run_log()}});
  const std::filesystem::path model =
      std::filesystem::path(BELLOWS_SOURCE_DIR) / "tests/golden/tiny.safetensors";
  data.models = read_report_data({model}).models;
  return data;
}

std::string page_of(const ReportData& data) { return report_page(data, "A title", "Made today"); }

// What the page tells the chart library to draw.
Json charts_of(const std::string& page) {
  const std::string begin = "<script id=\"charts\" type=\"application/json\">";
  const std::size_t at = page.find(begin) + begin.size();
  return Json::parse(page.substr(at, page.find("</script>", at) - at));
}

Json chart_of(const std::string& page, const std::string& title) {
  for (const Json& chart : charts_of(page)) {
    if (chart["title"] == title) return chart;
  }
  ADD_FAILURE() << "no chart '" << title << "'";
  return {};
}

std::vector<std::string> series_names(const Json& chart) {
  std::vector<std::string> names;
  for (const Json& series : chart["series"]) {
    names.push_back(series["name"].get<std::string>());
  }
  return names;
}

// With names that would end a tag, a quotation or a script, in every place that takes text.
ReportData hostile() {
  const std::string name =
      R"('"></script><script>window.hit=1</script><img src=x onerror="hit=1">)";
  auto profile = profile_json(name);
  for (const char* table : {"model", "device", "energy", "data", "measured"}) {
    for (auto& value : profile[table]) {
      if (value.is_string()) value = name;
    }
  }
  const std::string quoted = Json(name).dump();
  const std::string run = R"({"event":"start","date":)" + quoted + R"(,"model":)" + quoted +
                          R"(,"profile":)" + quoted + R"(,"energy_source":)" + quoted +
                          R"(,"targets":{)" + quoted + ":" + quoted +
                          "}}\n"
                          R"({"event":"request","time_s":1,"width":1,"latency_us":1})"
                          "\n"
                          R"({"event":"targets","time_s":2,"targets":{)" +
                          quoted + ":" + quoted + "}}\n";
  ReportData data = read_texts({{"a.json", profile.dump()}, {"b.jsonl", run}});
  TrainingLog& training = data.trainings.emplace_back();
  training.path = training.name = name;
  ReportedModel& model = data.models.emplace_back();
  model.path = model.name = name;
  model.facts = {{name, name}};
  return data;
}

TEST(ReportPage, ShowsTextAsText) {
  EXPECT_EQ(html_text("a < b & \"c\" > 'd'"), "a &lt; b &amp; &quot;c&quot; &gt; &#39;d&#39;");
  EXPECT_EQ(html_text("\xc2\xb5s"), "\xc2\xb5s");
  EXPECT_EQ(html_text("half \xc2"), "half \xef\xbf\xbd");
}

TEST(ReportPage, HasATableOfEveryProfileModelAndLog) {
  const std::string page = page_of(every_kind());
  // The whole page would be too long a message.
  const auto expect = [&](const std::string& part) {
    EXPECT_NE(page.find(part), std::string::npos) << part;
  };
  expect("<h1>A title</h1>");
  expect("Made today");
  const std::string cell = "<td class=\"number\">";
  const auto row = [&](const std::vector<std::string>& cells) {
    std::string text = "<tr><th scope=\"row\" class=\"number\">" + cells[0] + "</th>";
    for (std::size_t i = 1; i < cells.size(); ++i) text += cell + cells[i] + "</td>";
    return text + "</tr>";
  };
  expect(row({"2", "1", "97.50 %", "98.50 %", "45.5", "46.5", "47.5", "3.50", "1.34 M", "200.0 kB",
              "1.23 kB"}));
  expect(row({"1", "75.00 %", "\xe2\x80\x93", "20", "12", "80 B"}));
  expect(row({"2", "95.00 %", "0.2500", "94.00 %", "0.3000"}));
  expect(row({"2", "2", "1", "198", "3.50"}));
  expect(row({"all", "4", "1", "110", "2.75"}));
  expect("max_latency_us 300, latency_percentile 99");
  expect("modelled: operations");
  expect("71afb910");
}

TEST(ReportPage, DrawsACurveForEveryNumberOfThreads) {
  const std::string page = page_of(read_texts({{"lenet.json", profile_json().dump()}}));
  const Json chart = chart_of(page, "Accuracy against latency");
  EXPECT_THAT(series_names(chart), ElementsAre("lenet, 1 thread", "lenet, 2 threads"));
  EXPECT_EQ(chart["series"][0]["points"], Json({{22.5, 97.5, "width 1"}, {45.5, 98.5, "width 2"}}));
  EXPECT_EQ(chart["series"][1]["points"], Json({{19.5, 97.5, "width 1"}, {33.5, 98.5, "width 2"}}));
  EXPECT_NE(chart["series"][0]["dash"], chart["series"][1]["dash"]);
  EXPECT_THAT(series_names(chart_of(page, "Accuracy against operations")), ElementsAre("lenet"));
}

TEST(ReportPage, TellsProfilesOfOneNameApart) {
  const std::string page =
      page_of(read_texts({{"a.json", profile_json().dump()}, {"b.json", profile_json().dump()}}));
  const auto names = series_names(chart_of(page, "Accuracy against operations"));
  ASSERT_EQ(names.size(), 2U);
  EXPECT_THAT(names[0], HasSubstr("a.json"));
  EXPECT_THAT(names[1], HasSubstr("b.json"));
}

TEST(ReportPage, SaysWhereItShowsTheAccuracyOnValidationImages) {
  auto profile = profile_json();
  for (auto& point : profile["points"]) point["test_accuracy"] = nullptr;
  const std::string page = page_of(read_texts({{"lenet.json", profile.dump()}}));
  const Json chart = chart_of(page, "Accuracy against operations");
  EXPECT_THAT(series_names(chart), ElementsAre("lenet, validation"));
  EXPECT_EQ(chart["series"][0]["points"][0][1], 96.5);
}

TEST(ReportPage, LeavesOutTheChartsOfWhatIsNotKnown) {
  auto profile = profile_json();
  for (auto& point : profile["points"]) point["energy_uj"] = nullptr;
  const std::string page = page_of(read_texts({{"lenet.json", profile.dump()}}));
  EXPECT_EQ(charts_of(page).size(), 2U);
  EXPECT_EQ(count(page, "Accuracy against energy"), 0U);
  for (auto& point : profile["points"]) {
    point["validation_accuracy"] = point["test_accuracy"] = nullptr;
  }
  EXPECT_THAT(charts_of(page_of(read_texts({{"lenet.json", profile.dump()}}))), IsEmpty());
}

TEST(ReportPage, DrawsTrainingOverAllEpochsInASeriesForEachGroup) {
  const std::string page = page_of(read_texts({{"log.jsonl", training_log()}}));
  const Json chart = chart_of(page, "Loss");
  EXPECT_THAT(series_names(chart), ElementsAre("group 1, training", "width 1, validation",
                                               "group 2, training", "width 2, validation"));
  EXPECT_EQ(chart["series"][3]["points"],
            Json({{3, 0.5, "group 2, epoch 1"}, {4, 0.25, "group 2, epoch 2"}}));
  EXPECT_EQ(chart_of(page, "Accuracy")["series"][2]["points"][1][1], 90);
}

TEST(ReportPage, MarksMissedRequestsAndEndsALimitWhereTargetsChange) {
  const std::string page = page_of(read_texts({{"stream.jsonl", run_log()}}));
  const Json latency = chart_of(page, "Latency of each request");
  EXPECT_THAT(series_names(latency), ElementsAre("latency", "missed", "limit"));
  EXPECT_EQ(latency["series"][1]["points"], Json({{0.5, 350.5, "width 2"}}));
  EXPECT_EQ(latency["series"][2]["points"][0], Json({0, 300}));
  EXPECT_EQ(latency["series"][2]["points"][1], Json({0.75, 300}));
  EXPECT_EQ(latency["series"][2]["points"][2], Json({0.75, nullptr}));
  EXPECT_EQ(latency["series"][2]["points"][3], Json({0.75, nullptr}));
  const Json energy = chart_of(page, "Energy of each request");
  EXPECT_EQ(energy["series"][0]["points"][3], Json({1.25, nullptr}));
  EXPECT_EQ(energy["series"][1]["points"][3], Json({0.75, 2}));
  const Json width = chart_of(page, "Width");
  EXPECT_EQ(width["series"][1]["points"], Json({{0.75, 1, "max_energy_uj 2"}}));
}

TEST(ReportPage, ThinsOutLongLogsWithoutHidingWhatWasMissed) {
  std::string log = "{\"event\":\"start\",\"targets\":{}}\n";
  constexpr int kRequests = 100'000;
  for (int i = 0; i < kRequests; ++i) {
    const bool missed = i == 77'777;
    log += R"({"event":"request","time_s":)" + std::to_string(i) + R"(,"width":1,"latency_us":)" +
           (i == 5 ? "900" : "10") + R"(,"missed":)" + (missed ? "true" : "false") + "}\n";
  }
  const std::string page = page_of(read_texts({{"stream.jsonl", log}}));
  const Json latency = chart_of(page, "Latency of each request");
  EXPECT_LE(latency["series"][0]["points"].size(), 1500U);
  EXPECT_GT(latency["series"][0]["points"].size(), 1000U);
  EXPECT_EQ(latency["series"][0]["points"][0], Json({5, 900, "width 1"}));
  EXPECT_EQ(latency["series"][1]["points"], Json({{77'777, 10, "width 1"}}));
  EXPECT_EQ(count(page, "Each point stands for 67 requests"), 1U);
  EXPECT_LT(page.size(), 500'000U);
}

TEST(ReportPage, TakesNothingFromFilesForHtmlOrScript) {
  const std::string page = page_of(hostile());
  const std::string empty = page_of({});
  for (const char* tag : {"<script", "</script", "<img"}) {
    EXPECT_EQ(count(page, tag), count(empty, tag)) << tag;
  }
  EXPECT_GT(count(page, "&lt;/script&gt;&lt;script&gt;window.hit=1"), 10U);
  EXPECT_GT(count(page, "\\u003c/script"), 2U);
}

// In Chromium, whose part of each test is what people would look at.
class ReportInBrowser : public ::testing::Test {
 protected:
  void SetUp() override { BELLOWS_SKIP_WITHOUT_BROWSER(); }

  // Shows the page of `data`.
  void open(const ReportData& data, int width, int height, bool dark = false) {
    const std::filesystem::path folder =
        std::filesystem::path(::testing::TempDir()) /
        ::testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(folder);
    page_ = page_of(data);
    file_ = write_text(folder / "report.html", page_);
    browser_.emplace(folder);
    browser_->open(file_address(file_), width, height, dark);
  }

  std::string page_;
  std::filesystem::path file_;
  std::optional<HeadlessBrowser> browser_;
};

TEST_F(ReportInBrowser, LoadsWithoutComplaintAndAsksForNothingElse) {
  open(every_kind(), 1200, 900);
  EXPECT_THAT(browser_->complaints(), IsEmpty());
  EXPECT_THAT(browser_->requests(), ElementsAre(file_address(file_)));
}

TEST_F(ReportInBrowser, ShowsEveryPointOfEveryChart) {
  open(every_kind(), 1200, 900);
  const Json charts = charts_of(page_);
  ASSERT_EQ(charts.size(), 8U);
  for (const Json& chart : charts) {
    for (std::size_t i = 0; i < chart["series"].size(); ++i) {
      const Json& series = chart["series"][i];
      const auto points = std::count_if(series["points"].begin(), series["points"].end(),
                                        [](const Json& point) { return !point[1].is_null(); });
      const std::string of_chart = "Chart.getChart('" + chart["id"].get<std::string>() + "')";
      // Where the library has put them, within what it draws on.
      const Json shown = browser_->evaluate(
          "(() => {const c = " + of_chart + "; return c.getDatasetMeta(" + std::to_string(i) +
          ").data.filter(p => !p.skip && p.x >= c.chartArea.left - 1 && p.x <= c.chartArea.right + "
          "1 && p.y >= c.chartArea.top - 1 && p.y <= c.chartArea.bottom + 1).length})()");
      EXPECT_EQ(shown, points) << chart["title"] << ", " << series["name"];
    }
    const Json colours = browser_->evaluate(
        "(() => {const c = document.getElementById('" + chart["id"].get<std::string>() +
        "'); const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
        "return new Set(new Uint32Array(d.buffer)).size})()");
    EXPECT_GT(colours, 10) << chart["title"];
  }
}

TEST_F(ReportInBrowser, FitsAPhoneWithoutScrollingSideways) {
  open(every_kind(), 390, 844);
  EXPECT_EQ(browser_->evaluate("innerWidth"), 390);
  EXPECT_EQ(browser_->evaluate("document.documentElement.scrollWidth"), 390);
  // Tables scroll by themselves; whatever else there is ends before the screen does.
  EXPECT_EQ(
      browser_->evaluate("[...document.querySelectorAll('body *')].filter(e => "
                         "!e.closest('table') && e.getBoundingClientRect().right > 390).length"),
      0);
  EXPECT_GT(browser_->evaluate("document.querySelector('.scroll').scrollWidth"), 390);
  EXPECT_GT(browser_->evaluate("Chart.getChart('chart-1').chartArea.width"), 200);
  EXPECT_THAT(browser_->complaints(), IsEmpty());
}

TEST_F(ReportInBrowser, IsDarkWhereItsReaderWantsThatAndFollowsAChangeOfMind) {
  open(every_kind(), 1200, 900, /*dark=*/true);
  const std::string ground = "getComputedStyle(document.body).backgroundColor";
  const std::string curve = "Chart.getChart('chart-1').data.datasets[0].borderColor";
  EXPECT_EQ(browser_->evaluate(ground), "rgb(20, 23, 26)");
  EXPECT_EQ(browser_->evaluate(curve), "#56b4e9");
  browser_->prefer_dark(false);
  // The page hears of it as of an event, some time later.
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (browser_->evaluate(curve) == "#56b4e9" && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_EQ(browser_->evaluate(ground), "rgb(255, 255, 255)");
  EXPECT_EQ(browser_->evaluate(curve), "#0072b2");
}

TEST_F(ReportInBrowser, RunsNothingThatFilesBringAlong) {
  open(hostile(), 1200, 900);
  EXPECT_EQ(browser_->evaluate("typeof window.hit"), "undefined");
  EXPECT_EQ(browser_->evaluate("document.images.length"), 0);
  EXPECT_THAT(browser_->evaluate("document.querySelector('h2 ~ h3').textContent"),
              HasSubstr("<script>window.hit=1</script>"));
  EXPECT_THAT(browser_->complaints(), IsEmpty());
}

TEST_F(ReportInBrowser, ShowsItsFirstChartsAloneForAPicture) {
  open(every_kind(), 1200, 400);
  browser_->open(file_address(file_) + "#picture", 1200, 400);
  EXPECT_EQ(browser_->evaluate("[...document.querySelectorAll('figure')].filter(f => "
                               "f.offsetParent !== null).map(f => f.querySelector('canvas').id)"),
            Json({"chart-1", "chart-2", "chart-3"}));
  EXPECT_EQ(browser_->evaluate("document.documentElement.scrollHeight"), 400);
  EXPECT_EQ(browser_->evaluate("document.querySelector('h1').offsetParent"), nullptr);
}

}  // namespace
}  // namespace bellows::cli
