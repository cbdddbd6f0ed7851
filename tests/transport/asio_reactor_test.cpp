#include "core/transport/asio_reactor.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <deque>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/transport/client.hpp"

using namespace moonwire;
using namespace moonwire::test;
using namespace std::chrono_literals;
using transport::AsioReactor;

TEST_CASE("posted work runs on the reactor's thread, in each poster's order") {
    AsioReactor reactor(3);
    CHECK(reactor.index() == 3);
    CHECK_FALSE(reactor.is_current());
    std::vector<int> next(4, 0);
    std::atomic<int> done{0};
    std::atomic<bool> right{true};
    reactor.post([&] { ++done; });  // before it runs
    reactor.start();
    std::vector<std::thread> posters;
    for (std::size_t poster = 0; poster < next.size(); ++poster)
        posters.emplace_back([&, poster] {
            for (int i = 0; i < 5000; ++i)
                reactor.post([&, poster, i] {
                    if (next[poster]++ != i || !reactor.is_current()) right = false;
                    ++done;
                });
        });
    for (auto& poster : posters) poster.join();
    CHECK(wait_until([&] { return done == 20'001; }));
    CHECK(right);
}

TEST_CASE("posts that wake late run when the row ends, or with what another thread posts") {
    AsioReactor first(0), second(1);
    first.start();
    second.start();
    std::vector<int> ran;  // on the first
    std::atomic<int> done{0};
    const auto post = [&](int n) {
        first.post([&, n] {
            ran.push_back(n);
            ++done;
        });
    };
    for (int row = 0; row < 200; ++row) {
        done = 0;
        ran.clear();
        {
            const LateWakes late;
            post(1);
            std::thread([&] { post(2); }).join();
            REQUIRE(wait_until([&] { return done == 2; }));  // nobody else's post is late
            {
                const LateWakes nested;
                post(3);
            }
            REQUIRE(wait_until([&] { return done == 3; }));
            post(4);
            post(5);
            second.post([&] { ++done; });
        }
        REQUIRE(wait_until([&] { return done == 6; }));
        REQUIRE(ran == std::vector{1, 2, 3, 4, 5});
    }
}

TEST_CASE("what a reactor runs wakes others when it has run") {
    AsioReactor first(0), second(1);
    int late = 0;
    std::atomic<bool> done{false};
    const auto look = [&] { late += LateWakes::take(second); };
    first.post([&] {
        look();
        first.at_turn_end(look);
        first.after(std::chrono::milliseconds(1), [&] {
            look();
            done = true;
        });
    });
    first.start();
    REQUIRE(wait_until([&] { return done.load(); }));
    first.stop();  // before the one that it wakes goes
    CHECK(late == 3);
    CHECK_FALSE(LateWakes::take(second));
}

TEST_CASE("more reactors than a row of posts can wake late are woken at once") {
    std::deque<AsioReactor> reactors;
    for (unsigned i = 0; i < 20; ++i) reactors.emplace_back(i);
    const LateWakes late;
    for (int twice = 0; twice < 2; ++twice)
        CHECK(std::count_if(reactors.begin(), reactors.end(),
                            [](AsioReactor& each) { return LateWakes::take(each); }) == 16);
}

TEST_CASE("post never runs its task before it returns, run does on its own thread") {
    AsioReactor reactor(0);
    reactor.start();
    std::string order;
    std::atomic<bool> done{false};
    reactor.post([&] {
        reactor.post([&] {
            order += 'p';
            done = true;
        });
        reactor.run([&] { order += 'r'; });
        order += 'x';
    });
    REQUIRE(wait_until([&] { return done.load(); }));
    CHECK(order == "rxp");
}

TEST_CASE("turn-end work follows everything else of its turn") {
    AsioReactor reactor(0);
    std::string order;
    std::atomic<bool> done{false};
    reactor.post([&] {
        reactor.at_turn_end([&] {
            order += 'e';
            reactor.at_turn_end([&] { done = true; });
        });
        order += '1';
    });
    reactor.post([&] { order += '2'; });
    reactor.post([&] { reactor.after(0ms, [&] { order += 't'; }); });
    reactor.start();
    REQUIRE(wait_until([&] { return done.load(); }));
    CHECK(order == "12te");
}

TEST_CASE("timers fire in order, an earlier one armed later too, and not after cancel") {
    AsioReactor reactor(0);
    std::string order;
    std::atomic<bool> done{false};
    reactor.post([&] {
        reactor.after(30ms, [&] {
            order += '3';
            done = true;
        });
        const TimerId never = reactor.after(5ms, [&] { order += 'x'; });
        reactor.after(20ms, [&] { order += '2'; });
        reactor.post([&, never] {
            reactor.after(10ms, [&] { order += '1'; });
            CHECK(reactor.cancel(never));
        });
    });
    reactor.start();
    REQUIRE(wait_until([&] { return done.load(); }));
    CHECK(order == "123");
}

TEST_CASE("the clock stands still within a turn") {
    AsioReactor reactor(0);
    std::atomic<int> result{0};
    reactor.post([&] {
        const TimePoint before = reactor.now();
        while (Clock::now() < before + 2ms) {
        }
        result = reactor.now() == before ? 1 : 2;
    });
    reactor.start();
    REQUIRE(wait_until([&] { return result != 0; }));
    CHECK(result == 1);
}

TEST_CASE("an exception that escapes a task does not end the loop") {
    AsioReactor reactor(0);
    std::atomic<int> runs{0};
    reactor.post([] { throw std::runtime_error("posted"); });
    reactor.post([&] {
        reactor.after(0ms, [] { throw std::runtime_error("timer"); });
        reactor.after(0ms, [&] { ++runs; });
        reactor.at_turn_end([] { throw 7; });
        reactor.at_turn_end([&] { ++runs; });
    });
    reactor.start();
    CHECK(wait_until([&] { return runs == 2; }));
}

TEST_CASE("stop runs what is ready and destroys the rest") {
    auto token = std::make_shared<int>(0);
    {
        AsioReactor reactor(0);
        reactor.start();
        std::atomic<bool> ran{false};
        reactor.post([&, token] { reactor.after(1h, [token] {}); });
        reactor.post([&] { reactor.post([&] { reactor.at_turn_end([&] { ran = true; }); }); });
        reactor.stop();
        CHECK(ran);
        reactor.post([token] {});
        reactor.stop();
    }
    CHECK(token.use_count() == 1);
}
