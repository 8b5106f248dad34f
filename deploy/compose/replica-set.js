// Run by mongosh on the first member. Again it changes nothing.
const fs = require('fs');

try {
  rs.initiate({_id: 'rs0', members: [1, 2, 3].map(n => ({_id: n, host: `mongo${n}:27017`, priority: n === 1 ? 2 : 1}))});
} catch (e) {
  if (e.codeName !== 'AlreadyInitialized') throw e;
}
while (!db.hello().isWritablePrimary) {
  if (rs.status().members.some(m => m.state === 1 && !m.self)) {
    print('another member is primary: the set was made before');
    quit(0);
  }
  sleep(500);
}
const mooring = db.getSiblingDB('mooring');
if (!mooring.getUser('mooring')) {
  mooring.createUser({
    user: 'mooring',
    pwd: fs.readFileSync('/run/secrets/mongo_password', 'utf8').trim(),
    roles: [{role: 'readWrite', db: 'mooring'}],
  });
}
