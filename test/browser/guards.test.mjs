// The guards themselves: what they are to notice is noticed.
import assert from 'node:assert/strict';
import {createServer} from 'node:http';
import {test} from 'node:test';
import {openWindow, startWorld, violations} from './harness.mjs';

/** Serves one page on this machine, for as long as f takes. */
async function serving(html, f) {
  const server = createServer((_, res) => res.writeHead(200, {'Content-Type': 'text/html'}).end(`<!doctype html><html lang="en"><title>t</title><link rel="icon" href="data:,">${html}`));
  await new Promise(done => server.listen(0, '127.0.0.1', done));
  try {
    await f(`http://127.0.0.1:${server.address().port}/`);
  } finally {
    server.closeAllConnections();
    await new Promise(done => server.close(done));
  }
}

for (const [what, html, found] of [
  ['an error on the console', '<script>console.error("broken")</script>', /console: broken/],
  ['an uncaught error', '<script>nothing()</script>', /script: nothing is not defined/],
  ['a request that leaves the machine', '<img alt="" src="http://outside.invalid/x.png">', /left the machine: http:\/\/outside\.invalid/],
]) {
  test(`${what} is noticed`, () => serving(html, async url => {
    const w = await openWindow();
    await w.page.goto(url, {waitUntil: 'networkidle'});
    await assert.rejects(w.done(), undefined, what);
    assert.match(w.faults.join('\n'), found);
  }));
}

test('a serious violation is noticed', () => serving('<main><h1>t</h1><button></button></main>', async url => {
  const w = await openWindow();
  await w.page.goto(url);
  await assert.rejects(w.accessible('page'), /button-name/);
  assert.ok((await violations(w.page)).length > 0);
  await w.done();
}));

test('a page wider than its window is noticed', () => serving('<body style="margin:0"><div style="width:900px">x</div>', async url => {
  const w = await openWindow({width: 360});
  await w.page.goto(url);
  await assert.rejects(w.fits('page'), /900 wide/);
  await w.done();
}));

test('the documentation of the API is read without a fault', async () => {
  const world = await startWorld();
  const w = await openWindow({width: 360, dark: true});
  await w.page.goto(world.url + '/docs');
  await w.accessible('/docs');
  await w.fits('/docs');
  await w.done();
});
