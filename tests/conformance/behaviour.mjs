// What the servers under test do with what they hear. No imports: it is given a server.

/** Echoes every Engine.IO message. */
export function echoMessages(engine) {
  engine.on('connection', (socket) => {
    socket.on('message', (data) => socket.send(data));
  });
}

/** Namespaces `/` and `/custom`: each tells what the client said of itself, `/` also answers. */
export function answerEvents(io) {
  const greet = (socket) => socket.emit('auth', socket.handshake.auth);
  io.on('connection', (socket) => {
    greet(socket);
    socket.on('message', (...args) => socket.emit('message-back', ...args));
    socket.on('message-with-ack', (...args) => {
      const ack = args.pop();
      // A client that asked for no answer gets none.
      if (typeof ack === 'function') ack(...args);
    });
  });
  io.of('/custom').on('connection', greet);
}
