#include "training/data/catalogue.h"

#include <bellows/error.h>

#include <map>

#include "engine/sha256.h"
#include "training/data/archive_reader.h"
#include "training/data/cifar10.h"

namespace bellows {
namespace {

std::vector<CatalogueEntry> make_catalogue() {
  const std::vector<std::string> digits{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
  std::vector<CatalogueEntry> entries;
  entries.push_back(
      {.format = DatasetFormat::kMnist,
       .title = "MNIST",
       .base_url = "https://ossci-datasets.s3.amazonaws.com/mnist/",
       .files = {{"train-images-idx3-ubyte.gz", 9912422,
                  "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"},
                 {"train-labels-idx1-ubyte.gz", 28881,
                  "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"},
                 {"t10k-images-idx3-ubyte.gz", 1648877,
                  "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"},
                 {"t10k-labels-idx1-ubyte.gz", 4542,
                  "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"}},
       .members = {{"train-images-idx3-ubyte",
                    "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"},
                   {"train-labels-idx1-ubyte",
                    "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"},
                   {"t10k-images-idx3-ubyte",
                    "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"},
                   {"t10k-labels-idx1-ubyte",
                    "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"}},
       .class_names = digits,
       .train_counts = {5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949},
       .test_counts = {980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009},
       .citation = "Y. LeCun, L. Bottou, Y. Bengio, P. Haffner: Gradient-based learning applied to "
                   "document recognition. Proceedings of the IEEE 86(11), 1998",
       .licence = "CC BY-SA 3.0 (Y. LeCun, C. Cortes)"});
  entries.push_back(
      {.format = DatasetFormat::kFashionMnist,
       .title = "Fashion-MNIST",
       .base_url = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
       .files = {{"train-images-idx3-ubyte.gz", 26421880,
                  "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"},
                 {"train-labels-idx1-ubyte.gz", 29515,
                  "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"},
                 {"t10k-images-idx3-ubyte.gz", 4422102,
                  "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"},
                 {"t10k-labels-idx1-ubyte.gz", 5148,
                  "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"}},
       .members = {{"train-images-idx3-ubyte",
                    "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"},
                   {"train-labels-idx1-ubyte",
                    "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"},
                   {"t10k-images-idx3-ubyte",
                    "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"},
                   {"t10k-labels-idx1-ubyte",
                    "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"}},
       .class_names = {"T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt",
                       "sneaker", "bag", "ankle boot"},
       .train_counts = std::vector<std::size_t>(10, 6000),
       .test_counts = std::vector<std::size_t>(10, 1000),
       .citation = "H. Xiao, K. Rasul, R. Vollgraf: Fashion-MNIST: a novel image dataset for "
                   "benchmarking machine learning algorithms. arXiv:1708.07747, 2017",
       .licence = "MIT, Copyright (c) 2017 Zalando SE"});
  entries.push_back(
      {.format = DatasetFormat::kCifar10,
       .title = "CIFAR-10",
       .base_url = "https://www.cs.toronto.edu/~kriz/",
       .files = {{std::string(kCifar10Archive), 170052171,
                  "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"}},
       .members = {{"data_batch_1.bin",
                    "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"},
                   {"data_batch_2.bin",
                    "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"},
                   {"data_batch_3.bin",
                    "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"},
                   {"data_batch_4.bin",
                    "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"},
                   {"data_batch_5.bin",
                    "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"},
                   {"test_batch.bin",
                    "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"}},
       .class_names = {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse",
                       "ship", "truck"},
       .train_counts = std::vector<std::size_t>(10, 5000),
       .test_counts = std::vector<std::size_t>(10, 1000),
       .citation =
           "A. Krizhevsky: Learning multiple layers of features from tiny images. Technical "
           "report, University of Toronto, 2009",
       .licence = "none stated; the citation is asked for"});
  const std::string svhn_train = "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8";
  const std::string svhn_test = "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b";
  entries.push_back(
      {.format = DatasetFormat::kSvhn,
       .title = "SVHN",
       .base_url = "http://ufldl.stanford.edu/housenumbers/",
       .files = {{"train_32x32.mat", 182040794, svhn_train},
                 {"test_32x32.mat", 64275384, svhn_test}},
       .members = {{"train_32x32.mat", svhn_train}, {"test_32x32.mat", svhn_test}},
       .class_names = digits,
       .train_counts = {4948, 13861, 10585, 8497, 7458, 6882, 5727, 5595, 5045, 4659},
       .test_counts = {1744, 5099, 4149, 2882, 2523, 2384, 1977, 2019, 1660, 1595},
       .citation = "Y. Netzer, T. Wang, A. Coates, A. Bissacco, B. Wu, A. Y. Ng: Reading digits in "
                   "natural images with unsupervised feature learning. NIPS Workshop on Deep "
                   "Learning and Unsupervised Feature Learning, 2011",
       .licence = "non-commercial use only"});
  return entries;
}

std::string join(const std::vector<std::size_t>& numbers) {
  std::string text;
  for (const std::size_t number : numbers) {
    if (!text.empty()) text += ' ';
    text += std::to_string(number);
  }
  return text;
}

Finding compare_hash(const CatalogueMember& member, const std::string& where,
                     const std::string& hash) {
  if (hash == member.sha256) {
    return {Finding::Kind::kAsPublished, member.name, where + ": content as published"};
  }
  return {Finding::Kind::kDiffers, member.name,
          where + ": content differs from the published one (SHA-256 " + hash + ")"};
}

// Findings about the members of a tar.
std::vector<Finding> verify_tar(const CatalogueEntry& entry, const std::filesystem::path& tar) {
  std::map<std::string, std::string> hashes;
  for (const ArchiveMember& member :
       read_tar_members(tar, [](std::string_view name) { return name.ends_with(".bin"); })) {
    hashes.emplace(std::filesystem::path(member.name).filename().string(),
                   sha256_hex(member.bytes));
  }
  std::vector<Finding> findings;
  for (const CatalogueMember& member : entry.members) {
    const std::string where = (tar / member.name).string();
    const auto found = hashes.find(member.name);
    findings.push_back(found == hashes.end()
                           ? Finding{Finding::Kind::kMissing, member.name, where + ": missing"}
                           : compare_hash(member, where, found->second));
  }
  return findings;
}

std::vector<Finding> verify_folder(const CatalogueEntry& entry,
                                   const std::filesystem::path& folder) {
  std::vector<Finding> findings;
  for (const CatalogueMember& member : entry.members) {
    const std::filesystem::path file = find_packed(folder, member.name);
    if (file.empty()) {
      findings.push_back(
          {Finding::Kind::kMissing, member.name, (folder / member.name).string() + ": missing"});
      continue;
    }
    try {
      findings.push_back(compare_hash(member, file.string(), sha256_hex(read_unpacked(file))));
    } catch (const Error& error) {
      findings.push_back({Finding::Kind::kUnreadable, member.name, error.what()});
    }
  }
  return findings;
}

std::vector<Finding> verify_files(const CatalogueEntry& entry, const std::filesystem::path& path) {
  if (entry.format != DatasetFormat::kCifar10) return verify_folder(entry, path);
  const std::filesystem::path source = locate_cifar10(path);
  std::error_code error;
  if (!std::filesystem::is_regular_file(source, error)) {
    return verify_folder(entry, source.empty() ? path : source);
  }
  try {
    return verify_tar(entry, source);
  } catch (const Error& failure) {
    return {{Finding::Kind::kUnreadable, source.filename().string(), failure.what()}};
  }
}

Finding verify_counts(DatasetFormat format, const std::filesystem::path& path, Split split,
                      const std::vector<std::size_t>* published) {
  const std::string subject = std::string(split_name(split)) + " images";
  try {
    const Dataset dataset = load_dataset(format, path, split);
    const std::vector<std::size_t> counts = dataset.count_per_class();
    const std::string text = std::to_string(dataset.size()) + " " + subject + " of " +
                             dataset.shape().text() + ", per class " + join(counts);
    if (published == nullptr) return {Finding::Kind::kAsPublished, subject, text};
    if (counts == *published) {
      return {Finding::Kind::kAsPublished, subject, text + ", as published"};
    }
    return {Finding::Kind::kDiffers, subject, text + "; published are " + join(*published)};
  } catch (const Error& error) {
    return {
        error.code() == ErrorCode::kNotFound ? Finding::Kind::kMissing : Finding::Kind::kUnreadable,
        subject, error.what()};
  }
}

}  // namespace

const std::vector<CatalogueEntry>& catalogue() {
  static const std::vector<CatalogueEntry> kEntries = make_catalogue();
  return kEntries;
}

const CatalogueEntry& catalogue_entry(DatasetFormat format) {
  for (const CatalogueEntry& entry : catalogue()) {
    if (entry.format == format) return entry;
  }
  throw Error(ErrorCode::kInvalidArgument,
              "data format \"" + std::string(format_name(format)) + "\" has no published files");
}

std::string_view finding_name(Finding::Kind kind) {
  switch (kind) {
    case Finding::Kind::kAsPublished:
      return "ok";
    case Finding::Kind::kDiffers:
      return "differs";
    case Finding::Kind::kMissing:
      return "missing";
    case Finding::Kind::kUnreadable:
      return "unreadable";
  }
  return "unknown";
}

std::vector<Finding> verify_dataset(DatasetFormat format, const std::filesystem::path& path) {
  const bool published = format != DatasetFormat::kFolder && !is_generated(format);
  if (!is_generated(format)) require_exists(path);
  std::vector<Finding> findings;
  if (published) findings = verify_files(catalogue_entry(format), path);
  const std::vector<std::size_t>* train =
      published ? &catalogue_entry(format).train_counts : nullptr;
  const std::vector<std::size_t>* test = published ? &catalogue_entry(format).test_counts : nullptr;
  findings.push_back(verify_counts(format, path, Split::kTrain, train));
  findings.push_back(verify_counts(format, path, Split::kTest, test));
  return findings;
}

}  // namespace bellows
