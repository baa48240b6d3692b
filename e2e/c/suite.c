// The scenarios of libnats. Usage: suite URL. It prints a line per scenario. What it cannot do itself it asks of whoever
// started it: a line "do: WORDS" on standard output, answered with the line "done" on standard input.
#include <nats/nats.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *url;
static const int patience = 20000; // milliseconds

#define CHECK(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition); \
			exit(1); \
		} \
	} while (0)

#define OK(call) \
	do { \
		natsStatus status_ = (call); \
		if (status_ != NATS_OK) { \
			fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #call, natsStatus_GetText(status_)); \
			exit(1); \
		} \
	} while (0)

static void ask(const char *words)
{
	char line[64];
	printf("do: %s\n", words);
	fflush(stdout);
	CHECK(fgets(line, sizeof line, stdin) != NULL);
	CHECK(strcmp(line, "done\n") == 0);
}

// counter is something that callbacks count up and a scenario waits for.
typedef struct {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	int count;
} counter;

static counter new_counter(void)
{
	counter c = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};
	return c;
}

static void count_up(counter *c)
{
	pthread_mutex_lock(&c->mutex);
	c->count++;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->mutex);
}

static void await_count(counter *c, int n)
{
	struct timespec deadline;
	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec += 2 * patience / 1000;
	pthread_mutex_lock(&c->mutex);
	while (c->count < n)
		CHECK(pthread_cond_timedwait(&c->changed, &c->mutex, &deadline) == 0);
	CHECK(c->count == n);
	pthread_mutex_unlock(&c->mutex);
}

static void connection_event(natsConnection *nc, void *closure)
{
	(void)nc;
	count_up(closure);
}

static natsConnection *open_with(counter *reconnected, counter *closed)
{
	natsConnection *nc;
	natsOptions *options;
	OK(natsOptions_Create(&options));
	OK(natsOptions_SetURL(options, url));
	OK(natsOptions_SetReconnectWait(options, 20));
	OK(natsOptions_SetMaxReconnect(options, -1));
	OK(natsOptions_SetMaxPendingMsgs(options, 1000000));
	if (reconnected != NULL)
		OK(natsOptions_SetReconnectedCB(options, connection_event, reconnected));
	if (closed != NULL)
		OK(natsOptions_SetClosedCB(options, connection_event, closed));
	OK(natsConnection_Connect(&nc, options));
	natsOptions_Destroy(options);
	return nc;
}

static natsConnection *open(void) { return open_with(NULL, NULL); }

static void count_message(natsConnection *nc, natsSubscription *sub, natsMsg *msg, void *closure)
{
	(void)nc;
	(void)sub;
	natsMsg_Destroy(msg);
	count_up(closure);
}

// expect checks that the next message of sub has this subject and text.
static void expect(natsSubscription *sub, const char *subject, const char *text)
{
	natsMsg *msg;
	OK(natsSubscription_NextMsg(&msg, sub, patience));
	CHECK(strcmp(natsMsg_GetSubject(msg), subject) == 0);
	CHECK((size_t)natsMsg_GetDataLength(msg) == strlen(text));
	CHECK(memcmp(natsMsg_GetData(msg), text, strlen(text)) == 0);
	natsMsg_Destroy(msg);
}

static void publish_subscribe(void)
{
	natsConnection *nc = open();
	natsSubscription *sub;
	OK(natsConnection_SubscribeSync(&sub, nc, "greet"));
	OK(natsConnection_PublishString(nc, "greet", "hello"));
	expect(sub, "greet", "hello");
	natsSubscription_Destroy(sub);
	natsConnection_Destroy(nc);
}

static void wildcards(void)
{
	static const char *cases[][4] = {
		{"a.*", "a.b", NULL}, {"a.>", "a.b", "a.b.c", NULL}, {">", "a.b", "a.b.c", "x"}, {"*", "x", NULL}};
	natsConnection *nc = open();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		natsSubscription *sub;
		natsMsg *msg;
		OK(natsConnection_SubscribeSync(&sub, nc, cases[i][0]));
		OK(natsConnection_PublishString(nc, "a.b", ""));
		OK(natsConnection_PublishString(nc, "a.b.c", ""));
		OK(natsConnection_PublishString(nc, "x", ""));
		for (int k = 1; k < 4 && cases[i][k] != NULL; k++)
			expect(sub, cases[i][k], "");
		OK(natsConnection_Flush(nc));
		CHECK(natsSubscription_NextMsg(&msg, sub, 1) == NATS_TIMEOUT);
		natsSubscription_Destroy(sub);
	}
	natsConnection_Destroy(nc);
}

static void queue_groups(void)
{
	enum { members = 3, messages = 1000 };
	counter total = new_counter();
	natsConnection *ncs[members], *nc = open();
	natsSubscription *subs[members];
	int64_t delivered, sum = 0;
	for (int i = 0; i < members; i++) {
		ncs[i] = open();
		OK(natsConnection_QueueSubscribe(&subs[i], ncs[i], "work", "workers", count_message, &total));
		OK(natsConnection_Flush(ncs[i]));
	}
	for (int i = 0; i < messages; i++)
		OK(natsConnection_PublishString(nc, "work", "x"));
	await_count(&total, messages);
	for (int i = 0; i < members; i++) {
		OK(natsSubscription_GetDelivered(subs[i], &delivered));
		CHECK(delivered > 0);
		sum += delivered;
		natsSubscription_Destroy(subs[i]);
		natsConnection_Destroy(ncs[i]);
	}
	CHECK(sum == messages);
	natsConnection_Destroy(nc);
}

static void echo(natsConnection *nc, natsSubscription *sub, natsMsg *msg, void *closure)
{
	(void)sub;
	(void)closure;
	natsConnection_Publish(nc, natsMsg_GetReply(msg), natsMsg_GetData(msg), natsMsg_GetDataLength(msg));
	natsMsg_Destroy(msg);
}

static void request_reply(void)
{
	natsConnection *server = open(), *client = open();
	natsSubscription *sub;
	OK(natsConnection_Subscribe(&sub, server, "echo", echo, NULL));
	OK(natsConnection_Flush(server));
	for (int i = 0; i < 50; i++) {
		char text[16];
		natsMsg *reply;
		snprintf(text, sizeof text, "%d", i);
		OK(natsConnection_RequestString(&reply, client, "echo", text, patience));
		CHECK((size_t)natsMsg_GetDataLength(reply) == strlen(text));
		CHECK(memcmp(natsMsg_GetData(reply), text, strlen(text)) == 0);
		natsMsg_Destroy(reply);
	}
	natsSubscription_Destroy(sub);
	natsConnection_Destroy(server);
	natsConnection_Destroy(client);
}

static void headers(void)
{
	natsConnection *nc = open();
	natsSubscription *sub;
	natsMsg *msg;
	const char **values, *value;
	int count;
	OK(natsConnection_SubscribeSync(&sub, nc, "h"));
	OK(natsMsg_Create(&msg, "h", NULL, "body", 4));
	OK(natsMsgHeader_Add(msg, "Many", "one"));
	OK(natsMsgHeader_Add(msg, "Many", "two"));
	OK(natsMsgHeader_Set(msg, "case-Kept", "value"));
	OK(natsConnection_PublishMsg(nc, msg));
	natsMsg_Destroy(msg);
	OK(natsSubscription_NextMsg(&msg, sub, patience));
	OK(natsMsgHeader_Values(msg, "Many", &values, &count));
	CHECK(count == 2 && strcmp(values[0], "one") == 0 && strcmp(values[1], "two") == 0);
	free((void *)values);
	OK(natsMsgHeader_Get(msg, "case-Kept", &value));
	CHECK(strcmp(value, "value") == 0);
	natsMsg_Destroy(msg);
	natsSubscription_Destroy(sub);
	natsConnection_Destroy(nc);
}

static void no_responders(void)
{
	natsConnection *nc = open();
	natsMsg *reply;
	CHECK(natsConnection_RequestString(&reply, nc, "nobody", "", patience) == NATS_NO_RESPONDERS);
	natsConnection_Destroy(nc);
}

static void drain(void)
{
	enum { messages = 5000 };
	counter got = new_counter(), closed = new_counter();
	natsConnection *publisher = open(), *subscriber = open_with(NULL, &closed);
	natsSubscription *sub;
	OK(natsConnection_Subscribe(&sub, subscriber, "d", count_message, &got));
	OK(natsConnection_Flush(subscriber));
	for (int i = 0; i < messages; i++)
		OK(natsConnection_PublishString(publisher, "d", "x"));
	OK(natsConnection_Flush(publisher));
	OK(natsConnection_Drain(subscriber));
	await_count(&closed, 1);
	CHECK(got.count == messages);
	natsSubscription_Destroy(sub);
	natsConnection_Destroy(subscriber);
	natsConnection_Destroy(publisher);
}

static void reconnect(void)
{
	counter back = new_counter();
	natsConnection *nc = open_with(&back, NULL);
	natsSubscription *sub;
	OK(natsConnection_SubscribeSync(&sub, nc, "r"));
	OK(natsConnection_Flush(nc));
	ask("restart");
	await_count(&back, 1);
	OK(natsConnection_Flush(nc));
	OK(natsConnection_PublishString(nc, "r", "still here"));
	expect(sub, "r", "still here");
	natsSubscription_Destroy(sub);
	natsConnection_Destroy(nc);
}

static void max_payload(void)
{
	enum { size = 1048576 };
	natsConnection *nc = open();
	natsSubscription *sub;
	char *payload = malloc(size + 1);
	CHECK(payload != NULL);
	CHECK(natsConnection_GetMaxPayload(nc) == size);
	for (int i = 0; i <= size; i++)
		payload[i] = (char)(i * 31);
	OK(natsConnection_SubscribeSync(&sub, nc, "big"));
	for (int i = 0; i < 10; i++)
		OK(natsConnection_Publish(nc, "big", payload, size));
	for (int i = 0; i < 10; i++) {
		natsMsg *msg;
		OK(natsSubscription_NextMsg(&msg, sub, patience));
		CHECK(natsMsg_GetDataLength(msg) == size);
		CHECK(memcmp(natsMsg_GetData(msg), payload, size) == 0);
		natsMsg_Destroy(msg);
	}
	CHECK(natsConnection_Publish(nc, "big", payload, size + 1) == NATS_MAX_PAYLOAD);
	free(payload);
	natsSubscription_Destroy(sub);
	natsConnection_Destroy(nc);
}

static void slow_consumer(void)
{
	enum { messages = 6000, size = 16384 };
	static char payload[size];
	counter got = new_counter();
	natsConnection *nc = open(), *publisher = open();
	natsSubscription *sub;
	ask("stuck flood");
	OK(natsConnection_Subscribe(&sub, nc, "flood", count_message, &got));
	OK(natsSubscription_SetPendingLimits(sub, -1, -1));
	OK(natsConnection_Flush(nc));
	for (int i = 0; i < messages; i++)
		OK(natsConnection_Publish(publisher, "flood", payload, size));
	OK(natsConnection_Flush(publisher));
	await_count(&got, messages);
	ask("cut");
	natsSubscription_Destroy(sub);
	natsConnection_Destroy(nc);
	natsConnection_Destroy(publisher);
}

enum { publishers = 20, numbered = 10000 };

// ordered checks the numbers of the messages of each publisher.
typedef struct {
	counter total;
	int last[publishers];
} ordered;

static void check_order(natsConnection *nc, natsSubscription *sub, natsMsg *msg, void *closure)
{
	ordered *o = closure;
	char text[32];
	int p, n, length = natsMsg_GetDataLength(msg);
	(void)nc;
	(void)sub;
	CHECK(length < (int)sizeof text);
	memcpy(text, natsMsg_GetData(msg), length);
	text[length] = 0;
	CHECK(sscanf(text, "%d %d", &p, &n) == 2);
	CHECK(n == o->last[p] + 1);
	o->last[p] = n;
	natsMsg_Destroy(msg);
	count_up(&o->total);
}

static void *publish_numbers(void *argument)
{
	int p = (int)(intptr_t)argument;
	natsConnection *nc = open();
	char subject[32], text[32];
	snprintf(subject, sizeof subject, "order.%d", p);
	for (int n = 1; n <= numbered; n++) {
		snprintf(text, sizeof text, "%d %d", p, n);
		OK(natsConnection_PublishString(nc, subject, text));
	}
	OK(natsConnection_Flush(nc));
	natsConnection_Destroy(nc);
	return NULL;
}

static void order(void)
{
	static ordered o;
	pthread_t threads[publishers];
	natsConnection *nc = open();
	natsSubscription *sub;
	o.total = new_counter();
	OK(natsConnection_Subscribe(&sub, nc, "order.*", check_order, &o));
	OK(natsSubscription_SetPendingLimits(sub, -1, -1));
	OK(natsConnection_Flush(nc));
	for (int p = 0; p < publishers; p++)
		CHECK(pthread_create(&threads[p], NULL, publish_numbers, (void *)(intptr_t)p) == 0);
	for (int p = 0; p < publishers; p++)
		CHECK(pthread_join(threads[p], NULL) == 0);
	await_count(&o.total, publishers * numbered);
	natsSubscription_Destroy(sub);
	natsConnection_Destroy(nc);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} scenarios[] = {
		{"publish and subscribe", publish_subscribe},
		{"wildcards", wildcards},
		{"queue groups", queue_groups},
		{"request and reply", request_reply},
		{"headers", headers},
		{"no responders", no_responders},
		{"drain loses nothing", drain},
		{"reconnect after a restart", reconnect},
		{"max payload", max_payload},
		{"slow consumer", slow_consumer},
		{"order of 20 publishers", order},
	};
	int count = sizeof scenarios / sizeof *scenarios;
	CHECK(argc == 2);
	url = argv[1];
	for (int i = 0; i < count; i++) {
		scenarios[i].run();
		printf("ok: %s\n", scenarios[i].name);
		fflush(stdout);
	}
	printf("end: %d\n", count);
	return 0;
}
