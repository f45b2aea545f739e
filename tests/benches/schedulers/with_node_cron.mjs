// Load, memory, idle and lateness of node-cron: ALL jobs, of which TOGETHER share a second.
// Prints one object of JSON.

import cron from 'node-cron';

const [everything, together, idle] = process.argv.slice(2).map(Number);
const now = () => (performance.timeOrigin + performance.now()) / 1000;
const wait = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));

// Ahead of now, so that none is due while jobs are loaded and the idle process is watched; it
// comes round every minute in any case.
const second = Math.floor(now() + 45) % 60;
let ran = [];
let enough = () => {};

const before = process.memoryUsage().rss;
const begun = performance.now();
for (let at = 0; at < everything; at += 1) {
    if (at < together) {
        cron.schedule(`${second} * * * * *`, () => {
            ran.push(now());
            if (ran.length >= together) enough();
        }, { timezone: 'UTC' });
    } else {
        cron.schedule(`0 ${at % 60} ${Math.floor(at / 60) % 24} 1 1 *`, () => {}, { timezone: 'UTC' });
    }
}
const load = (performance.now() - begun) / 1000;
const memory = process.memoryUsage().rss - before;

const used = process.cpuUsage();
await wait(idle);
const { user, system } = process.cpuUsage(used);

ran = [];
await Promise.race([new Promise((done) => { enough = done; }), wait(120)]);
const due = Math.floor(ran[0] ?? 0);
console.log(JSON.stringify({
    load,
    memory,
    idle: (user + system) / 1e6 / idle,
    late: ran.slice(0, together).map((at) => at - due),
}));
process.exit(0);
