#include "core/server/file_answers.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <fstream>

namespace moonwire::server {
namespace {

namespace fs = std::filesystem;

struct AnswersTest {
    AnswersTest()
        : folder(fs::temp_directory_path() / ("moonwire-files-" + std::to_string(getpid()))) {
        fs::create_directories(folder);
    }
    ~AnswersTest() { fs::remove_all(folder); }

    fs::path write(const std::string& name, std::string_view text) const {
        std::ofstream(folder / name, std::ios::binary) << text;
        return folder / name;
    }
    std::optional<transport::HttpResponse> get(const fs::path& path,
                                               transport::Headers headers = {}) {
        transport::HttpRequest request;
        request.method = "GET";
        request.headers = std::move(headers);
        return files.answer(path, file_type(path.filename().string()), request);
    }
    static std::string header(const transport::HttpResponse& response, std::string_view name) {
        for (const auto& [each, value] : response.headers)
            if (each == name) return value;
        return {};
    }

    const fs::path folder;
    FileAnswers files{false};
};

TEST_CASE("a file has the type of its name's end") {
    CHECK(file_type("index.html").name == "text/html; charset=utf-8");
    CHECK(file_type("a.min.js.map").name == "application/json; charset=utf-8");
    CHECK(file_type("photo.png").name == "image/png");
    CHECK_FALSE(file_type("photo.png").is_text);
    for (const char* name : {"", "html", "a.html.bin", "a."})
        CHECK(file_type(name).name == "application/octet-stream");
}

TEST_CASE("a file is read again once it has changed, even at the same second") {
    AnswersTest test;
    const fs::path path = test.write("a.txt", "one");
    const auto first = test.get(path);
    REQUIRE(first);
    CHECK(first->body == "one");
    test.write("a.txt", "three");
    const auto second = test.get(path);
    CHECK(second->body == "three");
    CHECK(test.header(*first, "etag") != test.header(*second, "etag"));
    CHECK(test.get(path, {{"if-none-match", test.header(*second, "etag")}})->status == 304);
    CHECK(test.get(path, {{"if-none-match", test.header(*first, "etag")}})->status == 200);
    fs::remove(path);
    CHECK_FALSE(test.get(path));
}

TEST_CASE("its date is told, and who has the file of that date does not get it again") {
    AnswersTest test;
    const fs::path path = test.write("a.txt", "one");
    const timespec times[2] = {{1'000'000'000, 0}, {1'000'000'000, 0}};
    REQUIRE(utimensat(AT_FDCWD, path.c_str(), times, 0) == 0);
    const std::string date = "Sun, 09 Sep 2001 01:46:40 GMT";
    CHECK(test.header(*test.get(path), "last-modified") == date);
    CHECK(test.get(path, {{"if-modified-since", date}})->status == 304);
    CHECK(test.get(path, {{"if-modified-since", ""}})->status == 200);
    CHECK(test.get(path, {{"if-modified-since", date}, {"if-none-match", "\"x\""}})->status == 200);
}

TEST_CASE("what is compressed beside a file counts only where it is wanted") {
    AnswersTest test;
    const fs::path path = test.write("a.txt", "plain");
    test.write("a.txt.br", "brotli");
    const transport::Headers takes{{"accept-encoding", "br"}};
    CHECK(test.get(path, takes)->body == "plain");
    FileAnswers beside(true);
    transport::HttpRequest request;
    request.headers = takes;
    CHECK(beside.answer(path, file_type("a.txt"), request)->body == "brotli");
}

TEST_CASE("no pipe is waited for, and no folder read") {
    AnswersTest test;
    REQUIRE(mkfifo((test.folder / "pipe").c_str(), 0600) == 0);
    CHECK_FALSE(test.get(test.folder / "pipe"));
    CHECK_FALSE(test.get(test.folder));
}

TEST_CASE("files over kMaxFileBytes are refused, and what is kept stays below kMaxKeptBytes") {
    AnswersTest test;
    const fs::path path = test.write("large.bin", "");
    fs::resize_file(path, FileAnswers::kMaxFileBytes + 1);
    CHECK(test.get(path)->status == 403);
    CHECK(test.files.kept_bytes() == 0);
    for (int i = 0; i < 10; ++i) {
        const fs::path each = test.write("f" + std::to_string(i), "");
        fs::resize_file(each, FileAnswers::kMaxFileBytes);
        const auto response = test.get(each);
        REQUIRE(response);
        CHECK(response->body.size() == FileAnswers::kMaxFileBytes);
        CHECK(test.files.kept_bytes() <= FileAnswers::kMaxKeptBytes);
    }
    CHECK(test.files.kept_bytes() > 0);
}

}  // namespace
}  // namespace moonwire::server
