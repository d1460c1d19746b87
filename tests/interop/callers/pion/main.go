// A caller built on Pion, as ../README.md describes it. Imports go without Pion's version, as Debian's GOPATH has them.
package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/gorilla/websocket"
	"github.com/pion/interceptor"
	"github.com/pion/webrtc"
	"github.com/pion/webrtc/pkg/media"
)

const frame = 20 * time.Millisecond

type order struct {
	URL, Campaign, Packets, Ending, Trickle string
	ReceivedPackets                         string `json:"received_packets"`
	Seconds                                 float64
	Texts                                   []string
	Relay                                   *webrtc.ICEServer
}

type message struct {
	Type, SDP, Code, Message string
	Candidate                *webrtc.ICECandidateInit
}

type object map[string]interface{}

func main() {
	var todo order
	check(json.Unmarshal([]byte(os.Args[1]), &todo))
	socket := dial(createSession(todo))
	peer, track := newPeer(todo.Relay)
	chat, texts := openChat(peer)
	connected := whenConnected(peer)
	heard := listen(peer, int(todo.Seconds*float64(time.Second/frame)))
	closed := negotiate(peer, socket, todo.Trickle)
	read := func() { tell(object{"event": "text", "text": <-texts}) }

	<-connected
	tell(object{"event": "connected"})
	go play(track, split(readFile(todo.Packets)))
	read() // the gateway's greeting
	check(chat.SendText(todo.Texts[0]))
	read()
	received := <-heard
	check(chat.SendText(todo.Texts[1]))
	read()
	if todo.Ending == "caller" {
		hangUp(peer, socket)
	} else {
		check(chat.SendText("hangup"))
	}
	tell(object{"event": "closed", "reason": <-closed})
	check(os.WriteFile(todo.ReceivedPackets, join(received), 0o600))
}

// --- session and signaling ---

// createSession returns the URL of the new session's WebSocket.
func createSession(todo order) string {
	body, err := json.Marshal(object{"campaignId": todo.Campaign})
	check(err)
	response, err := http.Post(todo.URL+"/api/websession/initiate", "application/json", bytes.NewReader(body))
	check(err)
	defer response.Body.Close()
	reply, err := io.ReadAll(response.Body)
	check(err)
	var session struct{ WebsocketURL string }
	check(json.Unmarshal(reply, &session))
	if session.WebsocketURL == "" {
		log.Fatalf("no session: %s", reply)
	}
	return session.WebsocketURL
}

func dial(url string) *websocket.Conn {
	socket, _, err := websocket.DefaultDialer.Dial(url, nil)
	check(err)
	return socket
}

// negotiate offers, sends candidates as trickle says, and takes what the gateway sends until it closes the socket, with
// the reason that it returns.
func negotiate(peer *webrtc.PeerConnection, socket *websocket.Conn, trickle string) <-chan string {
	candidates := make(chan *webrtc.ICECandidate, 64)
	peer.OnICECandidate(func(candidate *webrtc.ICECandidate) { candidates <- candidate })
	offer, err := peer.CreateOffer(nil) // without candidates: it gathers none before it is set
	check(err)
	check(peer.SetLocalDescription(offer))
	check(socket.WriteJSON(object{"type": "offer", "sdp": offer.SDP}))

	answered, closed := make(chan struct{}), make(chan string, 1)
	go func() { closed <- receive(peer, socket, answered) }()
	if trickle != "normal" {
		<-answered
	}
	if trickle != "none" {
		go send(socket, candidates)
	}
	return closed
}

// send trickles each candidate in the form that Pion gives it, and null after the last one.
func send(socket *websocket.Conn, candidates <-chan *webrtc.ICECandidate) {
	for candidate := range candidates {
		if candidate == nil {
			check(socket.WriteJSON(object{"type": "candidate", "candidate": nil}))
			return
		}
		check(socket.WriteJSON(object{"type": "candidate", "candidate": candidate.ToJSON()}))
	}
}

// receive runs until the gateway closes the socket, and returns the reason.
func receive(peer *webrtc.PeerConnection, socket *websocket.Conn, answered chan<- struct{}) string {
	for {
		var received message
		if err := socket.ReadJSON(&received); err != nil {
			goodbye, ok := err.(*websocket.CloseError)
			if !ok {
				log.Fatal(err)
			}
			return goodbye.Text
		}
		switch {
		case received.Type == "answer":
			check(peer.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: received.SDP}))
			close(answered)
		case received.Type == "candidate" && received.Candidate != nil:
			check(peer.AddICECandidate(*received.Candidate))
		case received.Type == "error" && received.Code != "TOO_MANY_DATAGRAMS":
			log.Fatalf("%s: %s", received.Code, received.Message)
		}
	}
}

func hangUp(peer *webrtc.PeerConnection, socket *websocket.Conn) {
	goodbye := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	check(socket.WriteControl(websocket.CloseMessage, goodbye, time.Now().Add(time.Second)))
	check(peer.Close())
}

// --- the peer connection ---

// newPeer makes a peer that goes by relay alone, if there is one.
func newPeer(relay *webrtc.ICEServer) (*webrtc.PeerConnection, *webrtc.TrackLocalStaticSample) {
	var configuration webrtc.Configuration
	if relay != nil {
		configuration.ICEServers = []webrtc.ICEServer{*relay}
		configuration.ICETransportPolicy = webrtc.ICETransportPolicyRelay
	}
	peer, err := newAPI().NewPeerConnection(configuration)
	check(err)
	opus := webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus}
	track, err := webrtc.NewTrackLocalStaticSample(opus, "audio", "caller")
	check(err)
	_, err = peer.AddTrack(track)
	check(err)
	return peer, track
}

// newAPI has Pion's defaults, but for the loopback interface, which Pion leaves out.
func newAPI() *webrtc.API {
	settings, engine, interceptors := webrtc.SettingEngine{}, &webrtc.MediaEngine{}, &interceptor.Registry{}
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetIPFilter(net.IP.IsLoopback)
	check(engine.RegisterDefaultCodecs())
	check(webrtc.RegisterDefaultInterceptors(engine, interceptors))
	return webrtc.NewAPI(
		webrtc.WithSettingEngine(settings), webrtc.WithMediaEngine(engine), webrtc.WithInterceptorRegistry(interceptors))
}

func openChat(peer *webrtc.PeerConnection) (*webrtc.DataChannel, <-chan string) {
	texts := make(chan string, 16)
	chat, err := peer.CreateDataChannel("chat", nil)
	check(err)
	chat.OnMessage(func(received webrtc.DataChannelMessage) { texts <- string(received.Data) })
	return chat, texts
}

func whenConnected(peer *webrtc.PeerConnection) <-chan struct{} {
	connected := make(chan struct{}, 16)
	peer.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		if state == webrtc.PeerConnectionStateConnected {
			connected <- struct{}{}
		}
	})
	return connected
}

// --- sound ---

// play says the payloads over and over, each when it is due, for as long as there is a connection.
func play(track *webrtc.TrackLocalStaticSample, payloads [][]byte) {
	due := time.NewTicker(frame)
	say := func(payload []byte) error { return track.WriteSample(media.Sample{Data: payload, Duration: frame}) }
	for i := 0; say(payloads[i%len(payloads)]) == nil; i++ {
		<-due.C
	}
}

// listen gives the first count payloads that are heard, once they are there.
func listen(peer *webrtc.PeerConnection, count int) <-chan [][]byte {
	heard := make(chan [][]byte, 1)
	peer.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		var payloads [][]byte
		for len(payloads) < count {
			packet, _, err := track.ReadRTP()
			check(err)
			payloads = append(payloads, packet.Payload)
		}
		heard <- payloads
	})
	return heard
}

// split takes apart what join puts together: before each payload its length, as two bytes in network order.
func split(data []byte) (payloads [][]byte) {
	for len(data) > 0 {
		end := 2 + binary.BigEndian.Uint16(data)
		payloads, data = append(payloads, data[2:end]), data[end:]
	}
	return payloads
}

func join(payloads [][]byte) (data []byte) {
	for _, payload := range payloads {
		data = append(binary.BigEndian.AppendUint16(data, uint16(len(payload))), payload...)
	}
	return data
}

// --- the rest ---

func tell(event object) {
	line, err := json.Marshal(event)
	check(err)
	fmt.Println(string(line))
}

func readFile(path string) []byte {
	data, err := os.ReadFile(path)
	check(err)
	return data
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
