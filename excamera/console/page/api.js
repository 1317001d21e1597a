/* Calls of the API, which lies beside the page's folder. */

const BASE = new URL("..", document.baseURI);
const KEY = "token";

/* The address that was opened has the key behind its #. This tab keeps it, and the address loses it. */
const given = location.hash.slice(1);
if (given && !given.startsWith("/")) {
  sessionStorage.setItem(KEY, given);
  history.replaceState(null, "", location.pathname);
}

/* The API has refused a request; `errors` are the fields that are wrong. */
export class Refused extends Error {
  constructor(status, { detail, errors, error } = {}) {
    super(detail || `the console answers with status ${status}`);
    this.status = status;
    this.error = error;
    this.errors = errors ?? [];
  }
}

/* The answer to a request, or `Refused`. */
async function ask(method, path, { body = null, query = {}, headers = {} } = {}) {
  const url = new URL(path.slice(1), BASE);
  for (const [name, value] of Object.entries(query)) if (value !== null) url.searchParams.set(name, value);
  const proof = sessionStorage.getItem(KEY);
  const answer = await fetch(url, {
    method,
    headers: {
      ...(proof ? { Authorization: `Bearer ${proof}` } : {}),
      ...(body === null ? {} : { "Content-Type": "application/json" }),
      ...headers,
    },
    body: body === null ? null : JSON.stringify(body),
    cache: "no-store",
  });
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(answer.status, told);
  return told;
}

/* An address that the API has given, which proves itself. */
export const addressOf = (url) => new URL(url, BASE).href;

export const offers = () => ask("GET", "/options");
export const estimate = (film, options) => ask("POST", "/estimate", { body: { film, options } });
export const jobs = (next = null) => ask("GET", "/jobs", { query: { limit: 25, next } });
export const job = (id) => ask("GET", `/jobs/${id}`);
export const cancel = (id) => ask("DELETE", `/jobs/${id}`);
export const logs = (id) => ask("GET", `/jobs/${id}/logs`);
export const makeReport = (id) => ask("POST", `/jobs/${id}/report`);
export const report = (id) => ask("GET", `/jobs/${id}/report`);
export const create = (request, key) =>
  ask("POST", "/jobs", { body: request, headers: { "Idempotency-Key": key } });

export const muJobs = (next = null) => ask("GET", "/mu", { query: { limit: 25, next } });

/* A job of mu, with all its records. */
export async function muJob(name) {
  const found = [];
  for (let next = null; ;) {
    const page = await ask("GET", `/mu/${encodeURIComponent(name)}`, { query: { next } });
    found.push(...page.records);
    next = page.next;
    if (next === null) return { ...page.job, records: found };
  }
}

/* All attempts of a job's tasks. */
export async function timelineOf(id) {
  const found = [];
  for (let next = null; ;) {
    const page = await ask("GET", `/jobs/${id}/timeline`, { query: { limit: 1000, next } });
    found.push(...page.attempts);
    next = page.next;
    if (next === null) return found;
  }
}
