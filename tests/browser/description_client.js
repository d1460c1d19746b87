// The client of the published description, as it stands there, but for two things: the address of the gateway, and that
// what it logs and plays is kept for the test to look at.

async function startDescriptionClient({ constraints, audioConfig }) {
  const log = { states: [], messages: [], streams: [], errors: [], chat: [] };

  const response = await fetch('/api/websession/initiate', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({
      businessId: 12345,
      campaignId: 'campaign-abc',
      transportType: 'WebRTC', // Specify WebRTC
      audioConfig,
    }),
  });
  const { websocketUrl } = await response.json();
  const ws = new WebSocket(websocketUrl);
  await new Promise((resolve) => { ws.onopen = resolve; });

  // 1. Create peer connection
  const config = {
    iceServers: [{ urls: 'stun:stun.l.google.com:19302' }],
  };
  const pc = new RTCPeerConnection(config);

  // 2. Add audio track
  const stream = await navigator.mediaDevices.getUserMedia({ audio: constraints });
  stream.getTracks().forEach((track) => {
    pc.addTrack(track, stream);
  });

  // 3. Handle incoming audio
  pc.ontrack = (event) => {
    const audioElement = new Audio();
    audioElement.srcObject = event.streams[0];
    audioElement.play();
    log.streams.push(event.streams[0]);
  };

  pc.onconnectionstatechange = () => log.states.push(pc.connectionState);

  // 5. Handle answer from backend
  ws.onmessage = async (event) => {
    const msg = JSON.parse(event.data);
    log.messages.push(msg);
    try {
      if (msg.type === 'answer') {
        await pc.setRemoteDescription({
          type: 'answer',
          sdp: msg.sdp,
        });
      } else if (msg.type === 'candidate') {
        await pc.addIceCandidate(msg.candidate);
      }
    } catch (error) {
      log.errors.push(String(error));
    }
  };

  // 6. Send ICE candidates to backend
  pc.onicecandidate = (event) => {
    if (event.candidate) {
      ws.send(JSON.stringify({
        type: 'candidate',
        candidate: event.candidate,
      }));
    }
  };

  // Create data channel before creating offer
  const dataChannel = pc.createDataChannel('chat');
  dataChannel.onopen = () => {
    dataChannel.send('Hello from client');
  };
  dataChannel.onmessage = (event) => {
    log.chat.push(event.data);
  };

  // 4. Create and send offer
  const offer = await pc.createOffer();
  await pc.setLocalDescription(offer);
  ws.send(JSON.stringify({
    type: 'offer',
    sdp: offer.sdp,
  }));

  return { pc, ws, log, dataChannel };
}

// Records a stream as signed 16-bit samples at a sample rate; the result is base64.
async function record(stream, seconds, sampleRate) {
  const context = new AudioContext({ sampleRate });
  const source = context.createMediaStreamSource(stream);
  const recorder = context.createScriptProcessor(4096, 1, 1);
  const blocks = [];
  recorder.onaudioprocess = (event) => blocks.push(Float32Array.from(event.inputBuffer.getChannelData(0)));
  source.connect(recorder);
  recorder.connect(context.destination);
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  await context.close();
  const pcm = Int16Array.from(blocks.flatMap((block) => [...block]), (x) => Math.max(-1, Math.min(1, x)) * 32767);
  let binary = '';
  for (const byte of new Uint8Array(pcm.buffer)) binary += String.fromCharCode(byte);
  return btoa(binary);
}
