/*
 * Purpose: counts what the kernel's filter turned away before packet ports.
 */
#ifndef USPF_PACKET_COUNT_H
#define USPF_PACKET_COUNT_H

struct packet_count;

/* A socket's own counters, since it was opened: reading them resets the kernel's, which have 32 bits. */
struct packet_member {
	int fd;
	double seen; /* what its filter let through, with what was lost then */
	double lost, starved;
	struct packet_count *count; /* NULL: it has no filter, or what it turns away cannot be known */
	int is_founder;
	struct packet_member *next;
};

/* Before the founder's socket is made; NULL: what is turned away cannot be known. */
struct packet_count *packet_count_open(void);
void packet_count_free(struct packet_count *count); /* which nobody has joined */
/* Before the founder's socket is bound; from then on all packets are seen. */
int packet_count_bind(struct packet_count *count, int interface);
/* When the founder's socket sees packets, which a filter turns away that takes nothing. */
void packet_count_start(struct packet_count *count);
/* The founder of a fanout group joins with its group's number, one that is alone with -1. */
void packet_count_found(struct packet_count *count, struct packet_member *member, int group);
/* The member of a fanout group joins where the founder is of this process. */
void packet_count_join(struct packet_member *member, int group);
void packet_count_leave(struct packet_member *member); /* before its socket is closed */

int packet_count_own(struct packet_member *member); /* brings `lost` and `starved` up to date */
double packet_count_rejected(struct packet_member *member);

#endif
