/*
 * The floor of a fan-out: a server that does nothing but write(). It answers the WebSocket handshake, builds one
 * frame, and once per period writes it to every socket. What it costs is what the kernel takes for a delivery;
 * no server that sends to one socket at a time can be cheaper.
 *
 *   floor PERIOD_MS TEXT
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "accept_key.h"

enum { MOST_FILES = 65536, LONGEST_REQUEST = 2047 };

static int poller, listener, timer;
static int sockets[MOST_FILES], socket_count;
static unsigned char frame[65536 + 4];
static size_t frame_length;

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void watch(int fd) {
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) < 0) fail("floor: watch");
}

static void build_frame(const char *text) {
  size_t length = strlen(text), head = 2;
  if (length > 65535) fail("floor: text too long");
  frame[0] = 0x81;
  frame[1] = length;
  if (length > 125) {
    frame[1] = 126;
    frame[2] = length >> 8;
    frame[3] = length & 255;
    head = 4;
  }
  memcpy(frame + head, text, length);
  frame_length = head + length;
}

/* The request comes in one piece, for the load sends it with one write(). */
static void answer_handshake(int fd) {
  char request[LONGEST_REQUEST + 1], answer[256], accept_key[29];
  ssize_t length = read(fd, request, LONGEST_REQUEST);
  if (length <= 0) {
    close(fd);
    return;
  }
  request[length] = 0;
  char *key = strcasestr(request, "Sec-WebSocket-Key: ");
  if (key == NULL || strlen(key) < 19 + 24) fail("floor: no handshake");
  make_accept_key(key + 19, accept_key);
  int size = snprintf(answer, sizeof answer,
                      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                      "Sec-WebSocket-Accept: %s\r\n\r\n",
                      accept_key);
  if (write(fd, answer, size) != size) fail("floor: answer");
  sockets[socket_count++] = fd;
  /* The clients say nothing more: the floor does not read either. */
  epoll_ctl(poller, EPOLL_CTL_DEL, fd, NULL);
}

static void accept_client(void) {
  int yes = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
  if (fd < 0) return;
  if (fd >= MOST_FILES) fail("floor: too many clients");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  watch(fd);
}

static void push(void) {
  uint64_t expirations;
  if (read(timer, &expirations, sizeof expirations) < 0) return;
  for (int at = 0; at < socket_count; at++) {
    if (write(sockets[at], frame, frame_length) != (ssize_t)frame_length) fail("floor: write");
  }
}

static void start_listening(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (bind(listener, (struct sockaddr *)&address, length) < 0) fail("floor: bind");
  if (listen(listener, 511) < 0) fail("floor: listen");
  getsockname(listener, (struct sockaddr *)&address, &length);
  printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
  fflush(stdout);
}

static void start_timer(long period_ms) {
  struct timespec period = {.tv_sec = period_ms / 1000, .tv_nsec = period_ms % 1000 * 1000000};
  struct itimerspec grid = {.it_interval = period, .it_value = period};
  timer = timerfd_create(CLOCK_MONOTONIC, 0);
  if (timerfd_settime(timer, 0, &grid, NULL) < 0) fail("floor: timer");
}

int main(int count, char **arguments) {
  struct rlimit limit;
  if (count != 3) fail("floor PERIOD_MS TEXT");
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);

  build_frame(arguments[2]);
  poller = epoll_create1(0);
  start_listening();
  start_timer(atol(arguments[1]));
  watch(listener);
  watch(timer);
  for (;;) {
    struct epoll_event events[64];
    int ready = epoll_wait(poller, events, 64, -1);
    if (ready < 0 && errno != EINTR) fail("floor: wait");
    for (int at = 0; at < ready; at++) {
      if (events[at].data.fd == listener) accept_client();
      else if (events[at].data.fd == timer) push();
      else answer_handshake(events[at].data.fd);
    }
  }
}
