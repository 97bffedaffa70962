/*
 * The load of the benches: CLIENTS WebSocket clients in one process, which counts the frames that arrive.
 *
 *   load PORT PATH plain|socket.io|carillon.v1 CLIENTS PERIOD_MS [POSITION]
 *
 * With a POSITION ({"epoch":"…","offset":0}) all clients wait for a line on standard input and then subscribe from it
 * at once; the run is the pages that they are caught up with, one each.
 *
 * Prints "ready" once all clients are connected, then for each run of a timed push "run FRAMES FIRST_NS LAST_NS":
 * how many frames came, and when the first and the last did, on the monotonic clock. A run ends with the frame
 * that makes it complete, or with one that comes after half a period of silence. Runs until it is killed, and
 * gives up when a connection is closed.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Handshakes in flight at once: well under any server's listen backlog, so that no SYN is dropped. */
enum { CONNECTING_AT_ONCE = 64 };
/* Clients per source address: a range of ephemeral ports holds about 28,000. */
enum { CLIENTS_PER_ADDRESS = 20000 };
/* Enough of a payload to know what it is, and all of a control frame, which is 125 bytes at most. */
enum { KEPT = 125 };

struct client {
  int fd;
  int newlines;      /* of the four bytes that end the handshake's answer, how many have been seen */
  int upgraded;      /* the handshake is over */
  int open;          /* it receives pushes from now on */
  int head_length;   /* bytes of the current frame's head that are here */
  int kept_length;
  uint64_t left;     /* bytes of the current frame's payload that are not here yet */
  unsigned char head[10];
  unsigned char kept[KEPT];
};

static struct {
  struct sockaddr_in server;
  const char *path;
  int socket_io;
  int carillon_v1;
  const char *position;
  long clients;
  int64_t silence_ns;
} options;

static struct client *clients;
static int poller;
static long started, opened;

static struct {
  long frames;
  int64_t first_ns, last_ns;
} run;

static void fail(const char *what) {
  fprintf(stderr, "load: %s%s%s\n", what, errno ? ": " : "", errno ? strerror(errno) : "");
  exit(1);
}

static int64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void send_all(int fd, const void *bytes, size_t length) {
  if (write(fd, bytes, length) != (ssize_t)length) fail("cannot write");
}

/* Sends a short frame. A client has to mask; a mask of zeros leaves the bytes as they are. */
static void send_frame(int fd, int opcode, const void *payload, int length) {
  unsigned char frame[6 + KEPT] = {0x80 | opcode, 0x80 | length};
  memcpy(frame + 6, payload, length);
  send_all(fd, frame, 6 + length);
}

static void start_client(void) {
  struct client *client = &clients[started];
  struct sockaddr_in from = {.sin_family = AF_INET};
  char request[512];
  int yes = 1, length;

  from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + started / CLIENTS_PER_ADDRESS);
  client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (client->fd < 0) fail("cannot open a socket");
  setsockopt(client->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes);
  setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  if (bind(client->fd, (struct sockaddr *)&from, sizeof from) < 0) fail("cannot bind");
  if (connect(client->fd, (struct sockaddr *)&options.server, sizeof options.server) < 0) fail("cannot connect");
  fcntl(client->fd, F_SETFL, O_NONBLOCK);

  length = snprintf(request, sizeof request,
                    "GET %s HTTP/1.1\r\nHost: localhost:%d\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: Y2FyaWxsb24gYmVuY2ghIQ==\r\n%s\r\n",
                    options.path, ntohs(options.server.sin_port),
                    options.carillon_v1 ? "Sec-WebSocket-Protocol: carillon.v1\r\n" : "");
  send_all(client->fd, request, length);

  struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
  if (epoll_ctl(poller, EPOLL_CTL_ADD, client->fd, &event) < 0) fail("cannot watch a socket");
  started += 1;
}

static void start_clients(void) {
  while (started < options.clients && started - opened < CONNECTING_AT_ONCE) start_client();
}

static void client_open(struct client *client) {
  client->open = 1;
  opened += 1;
  if (opened == options.clients) printf("ready\n");
  start_clients();
}

static void end_run(void) {
  printf("run %ld %lld %lld\n", run.frames, (long long)run.first_ns, (long long)run.last_ns);
  run.frames = 0;
}

/* Until everybody is there a push is nobody's: it reaches some and not others. */
static void count_push(int64_t at_ns) {
  if (opened < options.clients) return;
  if (run.frames > 0 && at_ns - run.last_ns > options.silence_ns) end_run();
  if (run.frames == 0) run.first_ns = at_ns;
  run.last_ns = at_ns;
  run.frames += 1;
  if (run.frames == options.clients) end_run();
}

/* Engine.IO's packet types are the first character, Socket.IO's the second: 0 opens, 2 pings, 42 is an event. */
static void take_socket_io(struct client *client, int64_t at_ns) {
  const unsigned char *text = client->kept;
  if (client->kept_length == 0) fail("an empty packet");
  if (text[0] == '0') send_frame(client->fd, 1, "40", 2);
  else if (text[0] == '2') send_frame(client->fd, 1, "3", 1);
  else if (client->kept_length > 1 && text[0] == '4' && text[1] == '0') client_open(client);
  else if (client->kept_length > 1 && text[0] == '4' && text[1] == '2') count_push(at_ns);
  else fail("an unknown Socket.IO packet");
}

static int begins(const struct client *client, const char *text) {
  size_t length = strlen(text);
  return client->kept_length >= (int)length && memcmp(client->kept, text, length) == 0;
}

static void subscribe(const struct client *client) {
  char command[KEPT];
  int length = snprintf(command, sizeof command, "{\"type\":\"subscribe\",\"id\":2,\"channel\":\"push\"%s%s}",
                        options.position ? ",\"position\":" : "", options.position ? options.position : "");
  if (length >= (int)sizeof command) fail("the position is too long");
  send_frame(client->fd, 1, command, length);
}

static void take_carillon_v1(struct client *client, int64_t at_ns) {
  if (begins(client, "{\"type\":\"connected\"")) {
    if (options.position) client_open(client);
    else subscribe(client);
  } else if (begins(client, "{\"type\":\"subscribed\"")) {
    if (!options.position) client_open(client);
  } else if (begins(client, "{\"type\":\"publication\"") || begins(client, "{\"type\":\"page\"")) {
    count_push(at_ns);
  } else fail("an unknown frame");
}

static void take_frame(struct client *client, int64_t at_ns) {
  int opcode = client->head[0] & 15;
  if (opcode == 9) send_frame(client->fd, 10, client->kept, client->kept_length);
  else if (opcode == 8) fail("the server has closed a connection");
  else if (opcode > 2) return;
  else if (options.socket_io) take_socket_io(client, at_ns);
  else if (options.carillon_v1) take_carillon_v1(client, at_ns);
  else count_push(at_ns);
}

/* How long the head of the current frame is, as far as its bytes so far say. */
static int head_need(const struct client *client) {
  if (client->head_length < 2 || client->head[1] < 126) return 2;
  return client->head[1] == 126 ? 4 : 10;
}

static uint64_t payload_length(const struct client *client) {
  uint64_t length = 0;
  if (client->head[1] < 126) return client->head[1];
  for (int at = 2; at < head_need(client); at++) length = length << 8 | client->head[at];
  return length;
}

/* Takes the payload that is here; the frame is whole once nothing of it is left to come. */
static size_t take_payload(struct client *client, const unsigned char *bytes, size_t length, int64_t at_ns) {
  size_t taken = length < client->left ? length : client->left;
  size_t room = KEPT - client->kept_length;
  size_t kept = taken < room ? taken : room;
  memcpy(client->kept + client->kept_length, bytes, kept);
  client->kept_length += kept;
  client->left -= taken;
  if (client->left == 0) {
    take_frame(client, at_ns);
    client->head_length = client->kept_length = 0;
  }
  return taken;
}

static void take_frames(struct client *client, const unsigned char *bytes, size_t length, int64_t at_ns) {
  while (length > 0) {
    size_t taken = 1;
    if (client->head_length < head_need(client)) {
      client->head[client->head_length++] = *bytes;
      if (client->head_length == head_need(client)) {
        client->left = payload_length(client);
        if (client->left == 0) take_payload(client, bytes, 0, at_ns);
      }
    } else {
      taken = take_payload(client, bytes, length, at_ns);
    }
    bytes += taken;
    length -= taken;
  }
}

/* Returns how many bytes belonged to the answer to the handshake. */
static size_t take_handshake(struct client *client, const unsigned char *bytes, size_t length) {
  size_t at = 0;
  while (at < length && client->newlines < 4) {
    unsigned char byte = bytes[at++];
    if (client->kept_length < KEPT) client->kept[client->kept_length++] = byte;
    if (byte == "\r\n\r\n"[client->newlines]) client->newlines += 1;
    else client->newlines = byte == '\r';
  }
  if (client->newlines < 4) return at;
  errno = 0;
  if (client->kept_length < 12 || memcmp(client->kept, "HTTP/1.1 101", 12) != 0) fail("the handshake was refused");
  client->kept_length = 0;
  client->upgraded = 1;
  if (options.carillon_v1) send_frame(client->fd, 1, "{\"type\":\"connect\",\"id\":1}", 25);
  else if (!options.socket_io) client_open(client);
  return at;
}

static void client_readable(struct client *client) {
  static unsigned char buffer[65536];
  ssize_t length = read(client->fd, buffer, sizeof buffer);
  int64_t at_ns = now_ns();
  size_t taken = 0;
  if (length < 0 && errno == EAGAIN) return;
  if (length == 0) errno = 0;
  if (length <= 0) fail("the server has dropped a connection");
  if (!client->upgraded) taken = take_handshake(client, buffer, length);
  take_frames(client, buffer + taken, length - taken, at_ns);
}

/* The line that lets all clients subscribe. */
static void read_go(void) {
  char line[16];
  if (read(0, line, sizeof line) <= 0) fail("standard input has ended");
  epoll_ctl(poller, EPOLL_CTL_DEL, 0, NULL);
  for (long at = 0; at < options.clients; at++) subscribe(&clients[at]);
}

/* Every client is a file, and a shell's limit may be 1,024. */
static void raise_file_limit(void) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  errno = 0;
  if (limit.rlim_max < (rlim_t)options.clients + 16) fail("more clients than files may be open (ulimit -Hn)");
}

int main(int count, char **arguments) {
  if (count != 6 && count != 7) fail("load PORT PATH plain|socket.io|carillon.v1 CLIENTS PERIOD_MS [POSITION]");
  options.server.sin_family = AF_INET;
  options.server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  options.server.sin_port = htons(atoi(arguments[1]));
  options.path = arguments[2];
  options.socket_io = strcmp(arguments[3], "socket.io") == 0;
  options.carillon_v1 = strcmp(arguments[3], "carillon.v1") == 0;
  options.position = arguments[6];
  options.clients = atol(arguments[4]);
  options.silence_ns = atoll(arguments[5]) * 1000000 / 2;
  raise_file_limit();
  setvbuf(stdout, NULL, _IOLBF, 0);

  clients = calloc(options.clients, sizeof *clients);
  poller = epoll_create1(EPOLL_CLOEXEC);
  if (clients == NULL || poller < 0) fail("cannot start");
  if (options.position) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, 0, &event) < 0) fail("cannot watch standard input");
  }
  start_clients();
  for (;;) {
    struct epoll_event events[256];
    int ready = epoll_wait(poller, events, 256, -1);
    if (ready < 0 && errno != EINTR) fail("cannot wait");
    for (int at = 0; at < ready; at++) {
      if (events[at].data.ptr == NULL) read_go();
      else client_readable(events[at].data.ptr);
    }
  }
}
