// What the store in a file promises beyond tests/plugins/store_conformance_test.cpp.
#include <sys/stat.h>

#include <condition_variable>
#include <fstream>
#include <mutex>

#include "plugins/sqlite/database.hpp"
#include "tests/plugins/store_fixture.hpp"

using namespace moonwire::plugin;
using moonwire::sqlite::Database;

namespace {

namespace fs = std::filesystem;

struct FileTest : TestFolder {
    FileTest() {
        settings.path = file("state/store.db");
        settings.warn = [this](std::string_view text) {
            std::lock_guard lock(mutex);
            warnings.emplace_back(text);
        };
    }
    ~FileTest() { close(); }

    /// A new store on the file, like a new process; why it does not start.
    std::string open() {
        close();
        store = make_sqlite_store(settings);
        return store->start();
    }
    void close() {
        if (store) store->close();
        store.reset();
    }
    void write(const std::string& text) const {
        fs::create_directories(fs::path(settings.path).parent_path());
        std::ofstream(settings.path, std::ios::binary) << text;
    }
    /// Writes into the middle of the file.
    void damage() const {
        std::fstream stream(settings.path, std::ios::binary | std::ios::in | std::ios::out);
        for (int page = 1; page < 8; ++page) {
            stream.seekp(page * 4096 + 16);
            stream << std::string(2000, '\x5a');
        }
    }
    Asker asker() const { return Asker(*store); }

    StoreSettings settings;
    std::unique_ptr<Store> store;
    std::mutex mutex;
    std::vector<std::string> warnings;
};

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE(
    "nothing is made before the store is used, then the folder and a file for its user only") {
    FileTest test;
    CHECK(test.open() == "");
    CHECK_FALSE(fs::exists(test.path() / "state"));
    test.asker().done(StoreSet{"a", "1"});
    struct stat status {};
    REQUIRE(stat(test.settings.path.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
}

TEST_CASE("what was answered is there for the next process, and its journal is put away") {
    FileTest test;
    test.open();
    Asker first = test.asker();
    first.done(StoreSet{"a", "1"});
    const std::int64_t id = first.append("s", "x");
    first.ask({.space = "/a", .operations = {StoreSet{"relaxed", "1"}}, .durable = false});
    CHECK(test.open() == "");
    CHECK_FALSE(fs::exists(test.settings.path + "-wal"));
    Asker second = test.asker();
    CHECK(second.get("a") == "1");
    CHECK(second.get("relaxed") == "1");
    CHECK(second.read({.list = "s"}) == "x");
    CHECK(second.append("s", "y") > id);
}

TEST_CASE("only one process may use the file") {
    FileTest test;
    test.open();
    test.asker().done(StoreSet{"a", "1"});
    const auto other = make_sqlite_store(test.settings);
    CHECK(other->start() == "store \"" + test.settings.path +
                                "\": another process uses it; store.path names another");
    CHECK(contains(Asker(*other).refused(StoreGet{"a"}), "another process uses it"));
    test.close();
    CHECK(other->start() == "");
    CHECK(Asker(*other).get("a") == "1");
    other->close();
}

TEST_CASE("a damaged file ends the start, and stays where it is") {
    FileTest test;
    SUBCASE("no database at all") {
        test.write("this is no database, is it? " + std::string(5000, 'x'));
    }
    SUBCASE("damaged inside") {
        test.open();
        Asker asker = test.asker();
        for (int i = 0; i < 100; ++i)
            asker.begin({.space = "/a",
                         .operations = {StoreSet{std::to_string(i), std::string(500, 'v')}}});
        test.close();
        test.damage();
    }
    const auto size = fs::file_size(test.settings.path);
    const std::string problem = test.open();
    CHECK(contains(problem, "store \"" + test.settings.path + "\": the file is damaged ("));
    CHECK(contains(problem, "put a backup in its place"));
    CHECK(fs::file_size(test.settings.path) == size);

    // It is kept aside if that is wanted, and only then.
    test.settings.set_aside = true;
    CHECK(test.open() == "");
    REQUIRE(test.warnings.size() == 1);
    CHECK(contains(test.warnings[0], "it is kept as \"" + test.settings.path + ".damaged-"));
    test.asker().done(StoreSet{"a", "1"});
    int kept = 0;
    for (const auto& each : fs::directory_iterator(test.path() / "state"))
        if (contains(each.path(), ".damaged-")) kept += fs::file_size(each.path()) == size;
    CHECK(kept == 1);
}

TEST_CASE("a database that is another program's, or of a newer Moonwire, is left alone") {
    FileTest test;
    test.settings.set_aside = true;
    test.write("");
    {
        Database database(test.settings.path);
        database.run("CREATE TABLE t(a)");
    }
    CHECK(contains(test.open(), "it is another program's database"));
    fs::remove(test.settings.path);
    test.open();
    test.asker().done(StoreSet{"a", "1"});
    test.close();
    {
        Database database(test.settings.path);
        database.run("PRAGMA user_version = 2");
    }
    CHECK(contains(test.open(), "a newer Moonwire has written it"));
}

TEST_CASE("a folder that can't be made fails each request, until it can") {
    FileTest test;
    std::ofstream(test.path() / "state") << "a file in its place";
    CHECK(test.open() == "");
    Asker asker = test.asker();
    CHECK(contains(asker.refused(StoreSet{"a", "1"}), "can't make its folder"));
    CHECK(contains(asker.refused(StoreGet{"a"}), test.settings.path));
    fs::remove(test.path() / "state");
    asker.done(StoreSet{"a", "1"});
    CHECK(asker.get("a") == "1");
    CHECK(test.warnings.size() == 1);
}

TEST_CASE("more requests than may wait are told that it is busy") {
    FileTest test;
    test.settings.limits.waiting = 3;
    test.open();
    Asker asker = test.asker();
    // The first one's completion holds the writer up.
    std::promise<void> entered, go_on;
    test.store->execute({"/a", {StoreSet{"a", "1"}}}, [&](StoreReply) {
        entered.set_value();
        go_on.get_future().wait();
    });
    entered.get_future().wait();
    std::vector<std::future<StoreReply>> answers;
    for (int i = 0; i < 3; ++i) answers.push_back(asker.begin({"/a", {StoreSet{"b", "1"}}}));
    CHECK(asker.refused(StoreSet{"c", "1"}) == kStoreBusy);
    CHECK(asker.refused(StoreGet{"c"}) == kStoreBusy);
    go_on.set_value();
    for (auto& answer : answers) CHECK(answer.get().error == "");
    CHECK(asker.get("b") == "1");
}

TEST_CASE("what fails in a group is nobody else's failure there") {
    FileTest test;
    test.open();
    Asker asker = test.asker();
    std::vector<std::future<StoreReply>> answers;
    for (int i = 0; i < 50; ++i) {
        StoreAppend append{.list = "q", .value = "1", .max_items = 10, .refuse = true};
        answers.push_back(asker.begin({"/a", {append}}));
        answers.push_back(asker.begin({"/a", {StoreAppend{.list = "s", .value = "1"}}}));
    }
    int refused = 0;
    for (auto& answer : answers) refused += answer.get().error == kStoreListFull;
    CHECK(refused == 40);
    CHECK(asker.done(StoreCount{.list = "s"}).number == 50);
    CHECK(asker.done(StoreCount{.list = "q"}).number == 10);
}
