#include "core/transport/listening_socket.hpp"

#include <doctest/doctest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "tests/transport/client.hpp"
#include "tests/transport/test_server.hpp"

using namespace moonwire;
using namespace moonwire::test;
namespace fs = std::filesystem;

namespace {

/// A folder for socket files that goes with the test.
class Folder {
public:
    Folder() {
        std::string name = (fs::temp_directory_path() / "moonwire-XXXXXX").string();
        path_ = mkdtemp(name.data());
    }
    ~Folder() { fs::remove_all(path_); }
    std::string socket() const { return path_ / "broker.sock"; }

private:
    fs::path path_;
};

/// Binds the path and goes away without removing it, as a broker that was killed does.
void leave_stale(const std::string& path) {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    ::close(fd);
}

std::string why_not(const std::string& path) {
    TestServer handler;
    handler.options.plain = false;
    handler.options.unix_path = path;
    transport::TransportServer server(handler.options, 1);
    const auto result = server.listen(handler);
    return result ? "listens" : result.error().message;
}

}  // namespace

TEST_CASE("a Unix-domain socket serves beside plain TCP, and its file goes with the server") {
    Folder folder;
    {
        TestServer server(2);
        server.options.unix_path = folder.socket();
        server.serve = [](TestServer::Exchange exchange) {
            exchange->respond({200, {}, exchange->request().remote_address, false});
        };
        server.open();
        REQUIRE(server.addresses.size() == 2);
        CHECK(server.addresses[0].url == "http://127.0.0.1:" + std::to_string(server.port));
        CHECK(server.addresses[1].url == "unix:" + folder.socket());
        Client plain(server.port);
        CHECK(plain.get("/").body == "127.0.0.1");
        Client local(folder.socket());
        CHECK(local.get("/").body == "unix:");
        CHECK(local.get("/").status == 200);

        server.server->stop_accepting();
        CHECK(wait_until([&] { return !fs::exists(folder.socket()); }));
        CHECK(local.get("/").status == 200);
    }
    CHECK_FALSE(fs::exists(folder.socket()));
}

TEST_CASE("a connection over a Unix-domain socket moves between reactors and becomes a WebSocket") {
    Folder folder;
    TestServer server(2);
    server.options.plain = false;
    server.options.unix_path = folder.socket();
    server.place = [](const transport::HttpRequest& request) {
        return request.target == "/1" ? 1u : 0u;
    };
    auto recorder = std::make_shared<Recorder>();
    recorder->echo = true;
    server.serve = [&](TestServer::Exchange exchange) {
        if (exchange->request().upgrade) exchange->accept_websocket(recorder, {});
        else exchange->respond({200, {}, std::to_string(exchange->reactor().index()), false});
    };
    server.open();
    Client client(folder.socket());
    CHECK(client.get("/0").body == "0");
    CHECK(client.get("/1").body == "1");
    CHECK(client.upgrade("/0").status == 101);
    client.send_frame(1, "over a file");
    CHECK(client.frame().payload == "over a file");
}

TEST_CASE("a socket file that a dead server left is replaced; a live one and other files stay") {
    Folder folder;
    leave_stale(folder.socket());
    REQUIRE(fs::is_socket(folder.socket()));
    TestServer server;
    server.options.plain = false;
    server.options.unix_path = folder.socket();
    server.open();
    CHECK(Client(folder.socket()).get("/").status == 200);
    CHECK(why_not(folder.socket()) ==
          "cannot listen on unix:" + folder.socket() + ": another process listens there");
    CHECK(Client(folder.socket()).get("/").status == 200);

    const std::string file = folder.socket() + ".txt";
    std::ofstream(file) << "precious";
    CHECK(why_not(file) ==
          "cannot listen on unix:" + file + ": there is a file that is not a socket");
    CHECK(fs::file_size(file) == 8);
    const std::string nowhere = folder.socket() + "/x";
    CHECK(why_not(nowhere).starts_with("cannot listen on unix:" + nowhere));
    CHECK(why_not("/tmp/" + std::string(200, 'x')).ends_with("longer than 107 bytes"));
}

TEST_CASE(
    "a socket file has the permissions that were asked for, and a successor's is left alone") {
    Folder folder;
    TestServer server;
    server.options.unix_path = folder.socket();
    server.options.unix_mode = 0600;
    server.open();
    struct stat file {};
    REQUIRE(::stat(folder.socket().c_str(), &file) == 0);
    CHECK((file.st_mode & 0777) == 0600);

    fs::rename(folder.socket(), folder.socket() + ".old");  // keeps the inode from being reused
    leave_stale(folder.socket());
    server.server->stop();
    CHECK(fs::exists(folder.socket()));
}
