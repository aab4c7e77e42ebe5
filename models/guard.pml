/*
 * Guard, runner, operators and the arm, under crash and freeze of either process at any step.
 *
 * Owns the question whether the pieces fit together: latch, lease, fence, takeover. What a single
 * tick does to joints, limits and time stamps is the unit tests' business; here a speed is 0..VMAX
 * and a clock is a row of ticks. models/README.md ties each claim to invariant and code.
 *
 * Time is a row of ticks. In a tick every process that runs does its part, in any order and in
 * steps that others come between; one that is frozen lets the tick pass. Nature may kill, freeze
 * or wake guard and runner between any two steps, as often as it likes.
 *
 * -DCOUNT adds the counters of the claims that have a bound; -DLIVENESS is for the claims that
 * something happens at last (nature strikes each process once a tick, or time would not go on).
 * -DNO_…, -DKEEP_PLAN and -DLATE_LEASE spoil one part each; models/check holds that every one of
 * them breaks a claim. -DWITNESS claims, wrongly, that nothing ever moves again after a takeover.
 */

/* Shorter than in the cell file, in the same order: missed <= lease < silence. */
#define MISSED   2      /* missed ticks in a row that stop (three) */
#define LEASE    2      /* ticks of silence the runner is allowed (35 ms) */
#define SILENCE  3      /* ticks without telemetry: the guard is frozen (200 ms) */
#ifdef LIVENESS
#define VMAX     1      /* ticks that braking takes from full speed */
#else
#define VMAX     2
#endif
#define QLEN     2      /* messages the socket holds */
#define PER_TICK 2      /* messages the guard takes in a tick (8): so often poll receives */

/* A stop takes: what is still in the socket, the lease, what a hold-up in the tick in which the
   runner was last heard adds to it, the braking. None of the bounds can be one less. */
#define DRAIN      ((QLEN + PER_TICK) / PER_TICK)
#define BOUND_DEAD (DRAIN + VMAX)
#define BOUND_LOST (DRAIN + LEASE + MISSED - 1 + VMAX)
#define BOUND_STOP (1 + VMAX)

#ifdef NO_FENCE
#define NO_KILL
#define NO_LOCK
#endif

#define NOBODY 2

/* mode: src/messages/mode.rs */
#define STOPPED  0
#define IDLE     1
#define HOLDING  2
#define RUNNING  3
#define STOPPING 4

/* link: control::Link, the runner as the guard sees it */
#define ABSENT 0
#define LINKUP 1
#define CLOSED 2

/* a runner's connection at the guard's end */
#define NOCONN 0
#define OPEN   1
#define HUNGUP 2        /* the runner is gone; what it sent may still be in the socket */

/* messages in the socket, oldest first; a plan is OLD when it was captured before the last start */
#define NOTHING   0
#define HEARTBEAT 1
#define PLAN      2
#define OLD       3

/* requests */
#define RESET   1
#define ENABLE  2
#define START   3
#define PAUSE   4
#define RELEASE 5

/* control::TorqueAct */
#define KEEP       0
#define TORQUE_ON  1
#define TORQUE_OFF 2

/* a guard's life */
#define GONE    0
#define BOOTING 1
#define UP      2

/* where a guard is in its tick */
#define ASLEEP  0
#define DECIDED 1       /* has a goal that is not written yet */

/* what a runner does */
#define SPAWN   0       /* starts its guard */
#define CONNECT 1
#define HELLO   2       /* waits for the welcome */
#define LINKED  3
#define KILL    4       /* its guard is lost: end what is left of it */

/* --- the guard: two processes at most, as a lost one may still be there --- */
byte  life[2];
bool  g_frozen[2];
bool  due[2];           /* its tick has come */
byte  missed[2];        /* whole periods that passed since (Pace) */
bool  slowed[2];        /* it was frozen after its last reading of the clock */
byte  at[2];
byte  mode[2];
bool  torque[2];
byte  act[2];
byte  link[2];
bool  was_up[2];        /* the link at the tick before was up */
short quiet[2];         /* own ticks since the runner was heard; below 0: held up just then */
byte  speed[2];         /* of the limiter's command */
byte  plan[2];          /* NOTHING, PLAN, or OLD: one that must not move the arm any more */
bool  follows[2];       /* the goal to be written follows a plan */

/* --- sockets --- */
byte  conn[2];
byte  q[4];             /* QLEN of each guard */
byte  hello[2];         /* 1: a runner asks to be let in; 2: and has left again */

/* --- port: the file lock and the listening socket go together --- */
byte  owner = NOBODY;

/* --- the arm --- */
byte  wire;             /* speed of the last goal; 0 once it is reached and none came after */
bool  written;
bool  w_torque;

/* --- the runner --- */
bool  alive;
bool  r_frozen;
bool  r_due;
byte  phase;
byte  child = NOBODY;   /* the guard it started */
byte  peer = NOBODY;    /* the guard it is connected to */
byte  welcomed = NOBODY;
byte  patience;         /* its ticks without a word from the guard */

/* --- nature has struck in this tick --- */
#ifdef LIVENESS
bool  g_hit;
bool  r_hit;
#endif

/* --- what the claims remember --- */
byte  owed[2];          /* before motion: 4 reset and start, 3 start, since it came up; 2 and 1
                           the same since its last trip */
byte  newest = NOBODY;  /* the guard that used the bus last, while it is there */
bool  ours[2];          /* started by the runner that is there */
#ifdef LIVENESS
bool  told[2];          /* a stop was read in this tick */
#endif
#ifdef WITNESS
bool  was_replaced;     /* a guard that was lost */
#endif
#ifdef COUNT
byte  dead_for;         /* ticks of the guard since its runner died */
byte  lost_for;         /* ticks of the guard since its runner died or froze */
byte  stop_for;         /* ticks since an operator asked for a stop */
#endif

/* drawn by chance before a step, 0 after it */
unsigned asked : 3, stops : 2, slow : 2, says : 3;
bool  fault, starved, tossed;

/* scratch: 0 before and after each d_step, so that no state needs them */
hidden byte  msg, fresh, who, m, heard, hung, late, lost;

#define g_runs(g) (life[g] != GONE && !g_frozen[g])
#define r_runs    (alive && !r_frozen)
#define idle(g)   (!g_runs(g) || (!due[g] && at[g] == ASLEEP))
#define scratch() asked = 0; stops = 0; slow = 0; says = 0; m = 0; msg = 0; fresh = 0; who = 0; \
    fault = 0; starved = 0; tossed = 0; heard = 0; hung = 0; late = 0; lost = 0

#define sticky(x, most) x = ((x) < (most) -> (x) + 1 : (most))

/* -------------------------------------------------------------------- claims */

/* By a variable of its own, so that a search that fails says the claim's name. */
hidden byte claim_fence, claim_latch, claim_boot_latched, claim_no_stale_plan, claim_limp;
hidden byte claim_cause_gone, claim_takeover, claim_runner_dies, claim_lease, claim_stop;
hidden byte claim_nothing_moves;
#define claim(name, holds) claim_##name = (holds); assert(claim_##name)

/* fence: while a guard is there that has used the bus, no other one uses it. */
#define fence_holds(g) (newest == NOBODY || newest == g)

/* latch: no goal follows a plan between a trip and a reset with a start after it. */
#define latch_holds(g) (!follows[g] || (owed[g] != 1 && owed[g] != 2))

/* boot_latched: the same from a guard's coming up, whatever the one before was doing. */
#define boot_latched_holds(g) (!follows[g] || owed[g] < 3)

/* no_stale_plan: followed is only what was captured since the last start, from a runner that has
   not hung up since. */
#define no_stale_plan_holds(g) (!follows[g] || plan[g] == PLAN)

/* limp: a limp servo is sent no goal, but by an operator's enable. */
#define limp_holds(g) (w_torque || act[g] == TORQUE_ON)

/* cause_gone: nothing is reset while servos are not well, ticks are missed or a runner is lost. */
#define cause_gone_holds(g) (!fault && m < MISSED && (link[g] == ABSENT || !runner_lost(g)))

/* takeover: what a runner started itself is never in the way of what it starts in its place. */
#define takeover_holds(g) (!ours[g] || !ours[owner])

#define attached (alive && (peer == owner || welcomed == owner))
#define stands (wire == 0 && mode[owner] < RUNNING)   /* of an owner that is there */

/* runner_dies, lease, stop: the arm stands, and is not running any more, within so many ticks of
   the guard after its runner died, or froze, or an operator asked for a stop. */
#define runner_dies_holds (dead_for <= BOUND_DEAD)
#define lease_holds       (lost_for <= BOUND_LOST)
#define stop_holds        (stop_for <= BOUND_STOP)

inline on_the_bus(g)
{
    claim(fence, fence_holds(g));
    newest = g
}

#ifdef LATE_LEASE
#define ALLOWED (LEASE + 1)
#else
#define ALLOWED LEASE
#endif
#define runner_lost(g) (link[g] != LINKUP || quiet[g] > ALLOWED)

/* ------------------------------------------------------------------ sockets */

inline push(g, what)    /* Channel::try_send: a full queue loses the message */
{
    if
    :: q[g * QLEN] == NOTHING -> q[g * QLEN] = what
    :: q[g * QLEN] != NOTHING && q[g * QLEN + 1] == NOTHING -> q[g * QLEN + 1] = what
    :: else
    fi
}

inline pop(g)
{
    msg = q[g * QLEN];
    q[g * QLEN] = q[g * QLEN + 1];
    q[g * QLEN + 1] = NOTHING
}

inline empty_queue(g)
{
    q[g * QLEN] = NOTHING;
    q[g * QLEN + 1] = NOTHING
}

/* The runner lets go of its connection to `g`, or dies. Words of the guard that it has not read
   make the kernel throw away what it sent; else that can still be read. */
inline hang_up(g)
{
    if
    :: conn[g] == OPEN ->
        conn[g] = HUNGUP;
        if :: tossed -> empty_queue(g) :: else fi
    :: else
    fi
}

/* -------------------------------------------------------------------- lives */

inline guard_ends(g)    /* SIGKILL, or it could not come up */
{
    life[g] = GONE; g_frozen[g] = 0; due[g] = 0; missed[g] = 0; slowed[g] = 0; at[g] = ASLEEP;
    mode[g] = STOPPED; torque[g] = 0; act[g] = KEEP; link[g] = ABSENT; was_up[g] = 0;
    quiet[g] = 0; speed[g] = 0; plan[g] = NOTHING; follows[g] = 0;
    conn[g] = NOCONN; empty_queue(g); hello[g] = 0;
    owed[g] = 0; ours[g] = 0;
#ifdef LIVENESS
    told[g] = 0;
#endif
    if :: owner == g -> owner = NOBODY :: else fi;
    if :: newest == g -> newest = NOBODY :: else fi;
    if :: child == g -> child = NOBODY :: else fi;
    if :: peer == g -> peer = NOBODY :: else fi;
    if :: welcomed == g -> welcomed = NOBODY :: else fi
}

inline runner_ends()
{
    if :: peer != NOBODY -> hang_up(peer) :: else fi;
    if :: welcomed != NOBODY -> hang_up(welcomed) :: else fi;
    if :: hello[0] == 1 -> hello[0] = 2 :: else fi;
    if :: hello[1] == 1 -> hello[1] = 2 :: else fi;
    alive = 0; r_frozen = 0; r_due = 0; phase = SPAWN; child = NOBODY; peer = NOBODY;
    welcomed = NOBODY; patience = 0; ours[0] = 0; ours[1] = 0
}

/* The two places have no meaning of their own: the only guard is the first one. Fewer states. */
#define moved(x) x[0] = x[1]; x[1] = 0
inline move_up()
{
    if
    :: life[0] == GONE && life[1] != GONE ->
        moved(life); moved(g_frozen); moved(due); moved(missed); moved(slowed); moved(at);
        moved(mode); moved(torque); moved(act); moved(link); moved(was_up); moved(quiet);
        moved(speed); moved(plan); moved(follows); moved(conn); moved(hello); moved(owed);
        moved(ours);
        q[0] = q[QLEN]; q[QLEN] = NOTHING;
        q[1] = q[QLEN + 1]; q[QLEN + 1] = NOTHING;
#ifdef LIVENESS
        moved(told);
#endif
        if :: owner == 1 -> owner = 0 :: else fi;
        if :: newest == 1 -> newest = 0 :: else fi;
        if :: child == 1 -> child = 0 :: else fi;
        if :: peer == 1 -> peer = 0 :: else fi;
        if :: welcomed == 1 -> welcomed = 0 :: else fi
    :: else
    fi
}

/* GuardProcess::start, in a place that is free. */
inline start_guard(g)
{
    life[g] = BOOTING; child = g; ours[g] = 1
}

/* Shell::start: bind, open, adopt. Latched, with torque as it is found. */
inline come_up(g)
{
    if
#ifdef NO_LOCK
    :: true ->
#else
    :: owner == NOBODY ->
#endif
        on_the_bus(g);
        owner = g; life[g] = UP; missed[g] = 0;
        torque[g] = w_torque;
        owed[g] = 4;
#ifdef NO_BOOT_LATCH
        mode[g] = (torque[g] -> HOLDING : IDLE)
#else
        mode[g] = STOPPED
#endif
    :: else ->
        claim(takeover, takeover_holds(g));
        guard_ends(g)
    fi
}

/* ---------------------------------------------------------------- one tick */

/* PlanFollower::clear, by Core::enter. */
inline clear(g)
{
#ifdef KEEP_PLAN
    if :: plan[g] == PLAN -> plan[g] = OLD :: else fi
#else
    plan[g] = NOTHING
#endif
}

/* Core::latch with Event::Trip or Event::Stop. */
inline latch(g)
{
    owed[g] = 2;
    if
    :: mode[g] == IDLE -> mode[g] = STOPPED
    :: mode[g] == HOLDING || mode[g] == RUNNING -> mode[g] = STOPPING
    :: else
    fi;
    clear(g)
}

/* Sleeps to the deadline, reads the clock and the joints. A guard that is frozen right after this
   decides on a clock that stood still: it has missed nothing yet, and is due again at once. (So
   a guard that missed ticks may as well have been frozen before as after.) */
inline wake(g)
{
    on_the_bus(g);
#ifdef LIVENESS
    told[g] = 0;
#endif
    if
    :: slow == 0 -> m = missed[g]; missed[g] = 0; due[g] = 0; slowed[g] = 0
    :: slow == 1 -> m = 0; missed[g] = missed[g] - 1; slowed[g] = (missed[g] > 0)
    :: slow == 2 -> m = 0; slowed[g] = 1    /* of many */
    fi;
    if
    :: link[g] == LINKUP && quiet[g] <= ALLOWED -> quiet[g] = quiet[g] + 1
    :: else
    fi
}

/* Clients::take_one and drop_client. */
inline receive(g)
{
    if
    :: q[g * QLEN] != NOTHING ->
        pop(g);
        if
        :: msg == HEARTBEAT -> heard = 1; link[g] = LINKUP
        :: else -> fresh = msg
        fi
    :: q[g * QLEN] == NOTHING && conn[g] == HUNGUP ->
        conn[g] = NOCONN; link[g] = CLOSED; fresh = NOTHING; hung = 1;
        /* from here on nothing of it may move the arm */
        if :: plan[g] == PLAN -> plan[g] = OLD :: else fi
    :: else
    fi
}

#ifdef NO_GAP
#define present(g) (conn[g] != NOCONN)
#else
#define present(g) (conn[g] != NOCONN || hung)
#endif

/* Clients::welcome. A runner that hung up in this very poll still counts as present: the core
   has to see it gone before it sees another. */
inline let_in(g)
{
    if
    :: hello[g] == 1 && !present(g) ->
#ifdef COUNT
        lost_for = 0;
#endif
        conn[g] = OPEN; link[g] = LINKUP; heard = 1; welcomed = g
    :: hello[g] == 2 && !present(g) -> link[g] = CLOSED
    :: else         /* nobody, or refused */
    fi;
    hello[g] = 0
}

/* Clients::poll: connections are looked at in the order of their places. A runner that comes in
   an earlier place than the one before it had is refused as long as that one is there. */
inline poll(g)
{
    receive(g);
    receive(g);
    let_in(g);
    if
    :: link[g] != LINKUP -> quiet[g] = 0
    :: heard && link[g] == LINKUP -> quiet[g] = 0 - m
    :: else
    fi
}

/* Core::watch. */
inline watch(g)
{
    late = (m >= MISSED);
    lost = runner_lost(g);
    if
    :: late || fault ->
        latch(g)
#ifdef NO_LEASE
    :: !late && !fault && mode[g] == RUNNING && link[g] != LINKUP ->
#else
    :: !late && !fault && mode[g] == RUNNING && lost ->
#endif
        latch(g)
    :: !late && !fault && mode[g] == HOLDING && was_up[g] && link[g] == CLOSED ->
        latch(g)
    :: else
    fi;
    was_up[g] = (link[g] == LINKUP)
}

/* A plan captured before this is OLD: PlanFollower::check_times sees that by its stamp. */
inline age_plans(g)
{
    if :: fresh == PLAN -> fresh = OLD :: else fi;
    if :: q[g * QLEN] == PLAN -> q[g * QLEN] = OLD :: else fi;
    if :: q[g * QLEN + 1] == PLAN -> q[g * QLEN + 1] = OLD :: else fi
}

/* Core::request. */
inline answer(g)
{
    if
#ifdef NO_CAUSE
    :: asked == RESET && mode[g] == STOPPED ->
#else
    :: asked == RESET && mode[g] == STOPPED && !late && !fault && (link[g] == ABSENT || !lost) ->
#endif
        claim(cause_gone, cause_gone_holds(g));
        mode[g] = (torque[g] -> HOLDING : IDLE);
        clear(g);
#ifdef COUNT
        dead_for = 0; lost_for = 0; stop_for = 0;   /* it has come to rest */
#endif
        owed[g] = (owed[g] == 4 -> 3 : (owed[g] == 2 -> 1 : owed[g]))
    :: asked == ENABLE && mode[g] == IDLE && !fault ->
        torque[g] = 1; act[g] = TORQUE_ON; speed[g] = 0; mode[g] = HOLDING; clear(g)
    :: asked == START && mode[g] == HOLDING && !lost ->
        mode[g] = RUNNING;
        clear(g);
        age_plans(g);
        owed[g] = (owed[g] == 3 || owed[g] == 1 -> 0 : owed[g])
    :: asked == PAUSE && mode[g] == RUNNING ->
        mode[g] = HOLDING; clear(g)
    :: asked == RELEASE && speed[g] == 0 &&
       (mode[g] == STOPPED || mode[g] == IDLE || mode[g] == HOLDING) ->
        torque[g] = 0; act[g] = TORQUE_OFF;
        mode[g] = (mode[g] == HOLDING -> IDLE : mode[g]);
        clear(g)
    :: else         /* refused, or nothing to do */
    fi
}

/* Request::Stop, or a signal. */
inline take_stop(g)
{
#ifndef NO_STOP
    latch(g);
#endif
#ifdef LIVENESS
    told[g] = 1;
#endif
#ifdef COUNT
    if :: stop_for == 0 && mode[g] == STOPPING -> stop_for = 1 :: else fi;
#endif
    skip
}

/* Core::offer. A plan that comes in another mode is passed by. */
inline offer(g)
{
    if
#ifdef NO_STAMP
    :: fresh != NOTHING && mode[g] == RUNNING -> plan[g] = fresh
#else
    :: fresh == PLAN && mode[g] == RUNNING -> plan[g] = PLAN
#endif
    :: else
    fi
}

inline brake(g)
{
    speed[g] = (speed[g] > 0 -> speed[g] - 1 : 0)
}

/* Core::command. A plan runs out whenever nature likes; so does the wait for the first one. */
inline command(g)
{
    if
    :: !torque[g] -> speed[g] = 0
    :: torque[g] && mode[g] == RUNNING && starved -> latch(g); brake(g)
    :: torque[g] && mode[g] == RUNNING && !starved && plan[g] != NOTHING ->
        sticky(speed[g], VMAX); follows[g] = 1
    :: else -> brake(g)
    fi
}

/* Core::settle. */
inline settle(g)
{
    if
    :: mode[g] == STOPPING && speed[g] == 0 ->
#ifdef NO_LATCH
        mode[g] = HOLDING
#else
        mode[g] = STOPPED
#endif
    :: else
    fi
}

/* All that is left to chance in a tick. Requests of operators, and of runners for them, are made
   at the moment they are read: when they were sent makes no difference. What would be refused or
   change nothing in this mode is left out. */
inline chances(g)
{
    if
    :: slow = 0
    :: missed[g] > 0 && !slowed[g] -> slow = 1
    :: missed[g] == MISSED && !slowed[g] -> slow = 2
    fi;
    if          /* is a servo not well */
    :: fault = 0
    :: fault = 1
    fi;
    if
    :: asked = NOTHING
    :: mode[g] == STOPPED -> asked = RESET
    :: mode[g] == IDLE && !fault -> asked = ENABLE
    :: mode[g] == HOLDING && !fault -> asked = START
    :: mode[g] == RUNNING && !fault -> asked = PAUSE
    :: torque[g] && (mode[g] == STOPPED || mode[g] == HOLDING && !fault) -> asked = RELEASE
    fi;
    if          /* a stop, before the other request or after it */
    :: stops = 0
    :: (mode[g] != STOPPED || asked != NOTHING) && !fault -> stops = 1
    :: asked != NOTHING && !fault -> stops = 2
    fi;
    if          /* a plan runs out, or the wait for the first */
    :: starved = 0
    :: (mode[g] == RUNNING || asked == START) && !fault && !stops -> starved = 1
    fi
}

/* Clients::poll and Core::tick. */
inline tick(g)
{
    wake(g);
    poll(g);
    watch(g);
    if :: stops == 1 -> take_stop(g) :: else fi;
    if :: asked != NOTHING -> answer(g) :: else fi;
    if :: stops == 2 -> take_stop(g) :: else fi;
    offer(g);
    command(g);
    settle(g);
    at[g] = DECIDED;
    scratch()
}

/* Shell::write and publish. */
inline write(g)
{
    on_the_bus(g);
    if
    :: act[g] == TORQUE_OFF ->
        w_torque = 0
    :: act[g] != TORQUE_OFF && torque[g] ->
        claim(limp, limp_holds(g));
        claim(latch, latch_holds(g));
        claim(boot_latched, boot_latched_holds(g));
        claim(no_stale_plan, no_stale_plan_holds(g));
#ifdef WITNESS
        claim(nothing_moves, !(follows[g] && speed[g] == VMAX && was_replaced));
#endif
        w_torque = 1; wire = speed[g]; written = 1
    :: else
    fi;
    act[g] = KEEP; follows[g] = 0; at[g] = ASLEEP
}

/* The claims with a bound, in ticks that the guard itself took part in. A guard that does not run
   writes nothing, and then the arm stands a tick later anyway. */
inline count()
{
#ifdef COUNT
    if
    :: owner == NOBODY || stands -> dead_for = 0; lost_for = 0; stop_for = 0
    :: owner != NOBODY && !stands && g_runs(owner) ->
        dead_for = (attached -> 0 : dead_for + 1);
        lost_for = (attached && !r_frozen -> 0 : lost_for + 1);
        stop_for = (stop_for > 0 -> stop_for + 1 : 0);
        claim(runner_dies, runner_dies_holds);
        claim(lease, lease_holds);
        claim(stop, stop_holds)
    :: else
    fi
#else
    skip
#endif
}

inline pass(g)
{
    if
    :: life[g] == UP && due[g] -> sticky(missed[g], MISSED)
    :: life[g] != GONE && !due[g] -> due[g] = 1
    :: else
    fi
}

/* --------------------------------------------------------------- the runner */

#define SEEMS_LOST 7

/* What it has for the guard besides its heartbeat; whether a guard seems silent to it that is
   not; whether its going away takes what it sent with it. */
inline runner_chances()
{
    if
    :: says = NOTHING
    :: phase == LINKED -> says = PLAN
    :: phase == LINKED -> says = OLD
    :: phase == LINKED -> says = SEEMS_LOST
    fi;
    toss()
}

inline toss()
{
    if
    :: tossed = 0
    :: peer != NOBODY || welcomed != NOBODY -> tossed = 1
    fi
}

/* GuardProcess::connect, once around its loop. */
inline knock()
{
    sticky(patience, SILENCE + 1);
    if
    :: phase == HELLO && welcomed != NOBODY ->
        if :: peer != NOBODY && peer != welcomed -> hang_up(peer) :: else fi;
        peer = welcomed; welcomed = NOBODY; patience = 0; phase = LINKED
    :: !(phase == HELLO && welcomed != NOBODY) && patience > SILENCE ->
        runner_ends()
    :: phase == HELLO && welcomed == NOBODY && patience <= SILENCE ->
        if
        :: hello[0] != 1 && hello[1] != 1 -> phase = CONNECT    /* refused, or it died */
        :: else
        fi
    :: phase == CONNECT && patience <= SILENCE ->
        if
        :: owner != NOBODY -> hello[owner] = 1; phase = HELLO
        :: owner == NOBODY && child == NOBODY -> runner_ends()
        :: else
        fi
    fi
}

/* Heartbeat, planner, and the watch over the guard. */
#ifdef NO_WATCH
#define watches false
#else
#define watches true
#endif
inline go_on()
{
    if
    :: peer != NOBODY && g_frozen[peer] -> sticky(patience, SILENCE)
    :: else -> patience = 0
    fi;
    if
    :: peer == NOBODY || (patience == SILENCE && watches) || says == SEEMS_LOST ->
        patience = 0; phase = KILL
    :: else ->
        push(peer, HEARTBEAT);
#ifdef COUNT
        lost_for = 0;
#endif
        if
        :: says != NOTHING -> push(peer, says)
        :: else
        fi
    fi
}

/* GuardProcess::replace, first half: the fence. */
inline kill()
{
#ifndef NO_KILL
    if
    :: child != NOBODY -> who = child; guard_ends(who)
    :: else
    fi;
#endif
#ifdef WITNESS
    was_replaced = 1;
#endif
    phase = SPAWN
}

/* GuardProcess::start. */
inline spawn()
{
    if
    :: life[0] == GONE -> start_guard(0); phase = CONNECT
    :: life[0] != GONE && life[1] == GONE -> start_guard(1); phase = CONNECT
    :: else -> runner_ends()
    fi
}

/* ----------------------------------------------------------------- processes */

proctype Guard(byte g)
{
end:
    do
    :: atomic { g_runs(g) && due[g] && life[g] == BOOTING ->
        d_step { due[g] = 0; come_up(g); move_up() } }
    :: atomic { g_runs(g) && due[g] && life[g] == UP && at[g] == ASLEEP ->
        chances(g);
        d_step { tick(g) } }
    :: atomic { g_runs(g) && at[g] == DECIDED ->
        d_step { write(g) } }
    od
}

/* The requests it makes itself when a job begins are an operator's: somebody has started it. */
proctype Runner()
{
end:
    do
    :: atomic { r_runs && r_due ->
        runner_chances();
        d_step {
            r_due = 0;
            if
            :: phase == SPAWN -> spawn()
            :: phase == CONNECT || phase == HELLO -> knock()
            :: phase == LINKED -> go_on()
            :: phase == KILL -> kill()
            fi;
            move_up();
            scratch() } }
    od
}

/* Kills, freezes and wakes; starts another runner when there is none. */
#ifdef LIVENESS
#define g_may    !g_hit
#define r_may    !r_hit
#define g_struck g_hit = 1
#define r_struck r_hit = 1
#else
#define g_may    true
#define r_may    true
#define g_struck skip
#define r_struck skip
#endif
proctype Nature()
{
end:
    do
    :: atomic { g_may && life[0] != GONE -> d_step { g_struck; guard_ends(0); move_up() } }
    :: atomic { g_may && life[1] != GONE -> d_step { g_struck; guard_ends(1) } }
    :: atomic { g_may && life[0] != GONE -> d_step { g_struck; g_frozen[0] = !g_frozen[0] } }
    :: atomic { g_may && life[1] != GONE -> d_step { g_struck; g_frozen[1] = !g_frozen[1] } }
    :: atomic { r_may && alive -> toss(); d_step { r_struck; runner_ends(); scratch() } }
    :: atomic { r_may && alive -> d_step { r_struck; r_frozen = !r_frozen } }
    :: atomic { r_may && !alive -> d_step { r_struck; alive = 1 } }
    od
}

proctype Time()
{
end:
    do
    :: atomic { idle(0) && idle(1) && !(r_runs && r_due) ->
        d_step {
            count();
            pass(0);
            pass(1);
            r_due = alive;
#ifdef LIVENESS
            g_hit = 0; r_hit = 0;
#endif
            /* the last goal is a safe stop: it is reached, and nothing moves on */
            wire = (written -> wire : 0);
            written = 0 } }
    od
}

init { atomic { run Guard(0); run Guard(1); run Runner(); run Nature(); run Time() } }

#ifdef LIVENESS
/* stop_always: whoever asks for a stop, the arm comes to a standstill. */
#define stop_heard (told[0] || told[1])
#define no_guard   (owner == NOBODY || g_frozen[owner])
#define at_rest    (no_guard || stands)
ltl stop_always { [] (stop_heard -> <> at_rest) }

/* replaced: a runner that runs is not without a guard for ever. It may give up and end. */
ltl replaced { [] ((r_runs && no_guard) -> <> (!r_runs || !no_guard)) }
#endif
