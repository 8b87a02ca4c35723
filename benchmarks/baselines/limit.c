/* The arithmetic of one simulated layer and nothing else: which layer ends first, progress of the others, the next job (first come, or the best
 * of a score over all ready ones), and max-min sharing over running layers that are kept in order of their demand. Nothing is recorded, no frame
 * is late, nobody is asked. Layers are drawn, so that branches cannot be learnt. No simulator of this kind can be faster.
 *
 *     limit ACCELERATORS LAYERS READY SCORED
 *
 * prints CPU nanoseconds per layer. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { MOST = 64, MODELS = 16, DEPTH = 50, KINDS = MODELS * DEPTH };

struct layer { double left, rate, demand; int job; };

static uint64_t state = 0x9e3779b97f4a7c15u;

static double uniform(double low, double high) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return low + (high - low) * ((double)(state >> 11) * 0x1p-53);
}

static void place(const struct layer *on, int *by_demand, int n, int changed) {
    int at = 0;
    while (by_demand[at] != changed) at++;
    for (; at > 0 && on[by_demand[at - 1]].demand > on[changed].demand; at--) by_demand[at] = by_demand[at - 1];
    for (; at + 1 < n && on[by_demand[at + 1]].demand < on[changed].demand; at++) by_demand[at] = by_demand[at + 1];
    by_demand[at] = changed;
}

static void share(struct layer *on, const int *by_demand, int n) {
    double left = 1.0;
    for (int i = 0; i < n; i++) {
        struct layer *one = &on[by_demand[i]];
        double part = left / (n - i), given = one->demand < part ? one->demand : part;
        one->rate = given / one->demand;
        left -= given;
    }
}

int main(int argc, char **argv) {
    if (argc != 5) return 2;
    int n = atoi(argv[1]), n_ready = atoi(argv[3]), is_scored = atoi(argv[4]), n_jobs = n + n_ready, by_demand[MOST];
    long n_layers = atol(argv[2]);
    double time[KINDS], demand[KINDS], now = 0.0, sum = 0.0, *deadline = malloc(n_jobs * sizeof(double));
    int *kind = malloc(n_jobs * sizeof(int)), *ready = malloc(n_jobs * sizeof(int)), head = 0;
    struct layer on[MOST];
    if (n < 1 || n > MOST || n_ready < 1 || !deadline || !kind || !ready) return 2;
    for (int k = 0; k < KINDS; k++) time[k] = uniform(50, 500), demand[k] = uniform(0.1, 0.9);
    for (int j = 0; j < n_jobs; j++) kind[j] = (int)uniform(0, KINDS), deadline[j] = uniform(0, 1e5);
    for (int j = 0; j < n_ready; j++) ready[j] = j;
    for (int a = 0; a < n; a++) {
        on[a] = (struct layer){time[kind[n_ready + a]], 1.0, demand[kind[n_ready + a]], n_ready + a};
        by_demand[a] = a;
        place(on, by_demand, a + 1, a);
    }
    share(on, by_demand, n);
    clock_t began = clock();
    for (long done = 0; done < n_layers; done++) {
        int first = 0;
        double wait = 1e300;
        for (int a = 0; a < n; a++) {
            double end = on[a].left / on[a].rate;
            if (end < wait) wait = end, first = a;
        }
        now += wait;
        for (int a = 0; a < n; a++) on[a].left -= wait * on[a].rate;
        int job = on[first].job, at = head;
        if (++kind[job] % DEPTH == 0) kind[job] = (int)uniform(0, MODELS) * DEPTH, deadline[job] = now + 1e5;
        if (is_scored) {
            double best = -1e300;
            for (int i = 0; i < n_ready; i++) {
                int j = ready[i];
                double slack = deadline[j] - now, togo = time[kind[j]] * (DEPTH - kind[j] % DEPTH);
                double score = togo / (slack > 1 ? slack : 1) * 4 + now / time[kind[j]];
                if (score > best) best = score, at = i;
            }
        } else if (++head == n_ready) head = 0;
        int next = ready[at];
        ready[at] = job;
        on[first] = (struct layer){time[kind[next]], 1.0, demand[kind[next]], next};
        place(on, by_demand, n, first);
        share(on, by_demand, n);
        sum += now;
    }
    printf("%.3f %g\n", (double)(clock() - began) / CLOCKS_PER_SEC / n_layers * 1e9, sum);
    return 0;
}
