//! A page for each code.

use amop_wire::Code;

use super::Page;

/// What there is to say about a code.
pub(super) fn page(code: Code) -> &'static Page {
    match code {
        Code::Ok => &OK,
        Code::NotSent => &NOT_SENT,
        Code::NoSubscriber => &NO_SUBSCRIBER,
        Code::SubscriberUnreachable => &SUBSCRIBER_UNREACHABLE,
        Code::TimedOut => &TIMED_OUT,
        Code::Limited => &LIMITED,
        Code::Invalid => &INVALID,
        Code::NotPermitted => &NOT_PERMITTED,
        Code::Draining => &DRAINING,
        Code::Overloaded => &OVERLOADED,
        Code::IdReused => &ID_REUSED,
        Code::FileRefused => &FILE_REFUSED,
    }
}

static OK: Page = Page {
    title: ["done", "成功"],
    meaning: [
        "A unicast was handled exactly once and answered; a multicast was tried at every subscriber.",
        "单播消息恰好被处理一次并已应答；多播消息已尝试投递给每个订阅者。",
    ],
    causes: [&[], &[]],
    next: [
        "nothing; of a multicast, the receipt says how many took it",
        "无需操作；多播的回执说明有多少订阅者收到",
    ],
};

static NOT_SENT: Page = Page {
    title: ["not sent", "未发送"],
    meaning: [
        "The message could not be handed to any node. It was not handled, and never will be.",
        "消息未能交给任何节点。它没有被处理，以后也不会被处理。",
    ],
    causes: [
        &[
            "no node of ours is up, or its port is blocked",
            "our certificate is refused",
            "the connection was lost for longer than the deadline",
        ],
        &[
            "本机构没有节点在运行，或端口被防火墙拦截",
            "我方证书被拒绝",
            "连接中断的时间超过了消息的期限",
        ],
    ],
    next: [
        "`amop status` at the node; check --endpoint and the certificate (`amop cert verify`)",
        "在节点上运行 `amop status`；检查 --endpoint 和证书（`amop cert verify`）",
    ],
};

static NO_SUBSCRIBER: Page = Page {
    title: ["no subscriber", "没有订阅者"],
    meaning: [
        "Nobody subscribes to the topic, or no node that has a subscriber could be reached. Never handled.",
        "没有人订阅该主题，或无法到达有订阅者的节点。消息没有被处理。",
    ],
    causes: [
        &[
            "the topic is misspelt",
            "the subscriber is not running",
            "links between nodes are down",
            "on a private topic: nobody has proved to hold a listed key",
        ],
        &[
            "主题拼写错误",
            "订阅方没有运行",
            "节点之间的链路中断",
            "私有主题：还没有人证明持有名单上的密钥",
        ],
    ],
    next: [
        "`amop who TOPIC`, `amop topics`, `amop peers` at your node",
        "在本方节点上运行 `amop who TOPIC`、`amop topics`、`amop peers`",
    ],
};

static SUBSCRIBER_UNREACHABLE: Page = Page {
    title: ["subscriber unreachable", "无法到达订阅者"],
    meaning: [
        "The subscriber's node was reached, the subscriber was not. Never handled.",
        "已到达订阅者所在的节点，但未能到达订阅者本身。消息没有被处理。",
    ],
    causes: [
        &[
            "the subscriber has just gone, or connects anew",
            "it takes messages more slowly than they come",
        ],
        &["订阅方刚刚断开，或正在重新连接", "订阅方处理消息的速度跟不上"],
    ],
    next: [
        "send it again; if it stays, ask the institution of the subscriber",
        "重新发送；如果持续出现，请联系订阅方所在机构",
    ],
};

static TIMED_OUT: Page = Page {
    title: ["timed out", "超时"],
    meaning: [
        "Time ran out and the outcome is unknown: the message was handled once, or never. It was not handled twice.",
        "时间已到，结果未知：消息可能被处理了一次，也可能没有被处理，但绝不会被处理两次。",
    ],
    causes: [
        &[
            "the handler of the subscriber is slow or stuck",
            "the deadline is short for the way",
            "the connection was lost after sending",
        ],
        &["订阅方的处理程序缓慢或卡住", "期限对这条路径来说太短", "发送之后连接中断"],
    ],
    next: [
        "send it again only with the same idempotency key, or if handling it twice does no harm; or give --timeout more",
        "只有使用相同的幂等键，或重复处理无害时才重新发送；或加大 --timeout",
    ],
};

static LIMITED: Page = Page {
    title: ["over a limit", "超过限速"],
    meaning: [
        "A limit on how fast may be published refused it before it was sent. Never handled.",
        "发布速率超过限制，消息在发送之前被拒绝。没有被处理。",
    ],
    causes: [
        &["this session, its agency, or all clients of the node publish too fast"],
        &["该会话、该机构或该节点的全部客户端发布过快"],
    ],
    next: [
        "wait as long as the error says, and send it again; the limits are `[limits]` of your node",
        "按错误中给出的时间等待后重新发送；限速在本方节点的 `[limits]` 中配置",
    ],
};

static INVALID: Page = Page {
    title: ["invalid", "无效"],
    meaning: [
        "The topic or the payload breaks a rule. Never handled.",
        "主题或内容不符合规则。消息没有被处理。",
    ],
    causes: [
        &["the payload is over 1 MiB", "the topic is empty, too long, or has control characters"],
        &["内容超过 1 MiB", "主题为空、过长或含有控制字符"],
    ],
    next: [
        "send what is larger as a file: `amop send FILE TOPIC`",
        "较大的内容请作为文件发送：`amop send FILE TOPIC`",
    ],
};

static NOT_PERMITTED: Page = Page {
    title: ["not permitted", "不允许"],
    meaning: [
        "The publisher may not do this, whether or not there is such a topic. Never handled.",
        "发布方无权执行此操作，无论该主题是否存在。消息没有被处理。",
    ],
    causes: [&["the rules of your node do not permit it"], &["本方节点的规则不允许"]],
    next: [
        "ask the operator of your node, who finds the rule by `amop acl explain ID ACTION TOPIC`",
        "请联系本方节点的运维人员，可用 `amop acl explain ID ACTION TOPIC` 查找规则",
    ],
};

static DRAINING: Page = Page {
    title: ["draining", "节点正在停止"],
    meaning: [
        "The node is about to stop and takes nothing new. Never handled; the SDK goes to another endpoint by itself.",
        "节点即将停止，不再接受新消息。消息没有被处理；SDK 会自动转到其他端点。",
    ],
    causes: [&["the node is being restarted"], &["节点正在重启"]],
    next: [
        "give the client a second endpoint: -e HOST:PORT -e HOST:PORT",
        "为客户端配置第二个端点：-e HOST:PORT -e HOST:PORT",
    ],
};

static OVERLOADED: Page = Page {
    title: ["overloaded", "过载"],
    meaning: [
        "Something has as much as it can hold. Never handled.",
        "某处已达到容量上限。消息没有被处理。",
    ],
    causes: [
        &["too many publishes without an outcome", "too many subscriptions or topics"],
        &["没有结果的发布过多", "订阅或主题过多"],
    ],
    next: [
        "wait for outcomes before publishing more; `amop clients` shows who has how many under way",
        "等待已有结果后再继续发布；`amop clients` 显示各客户端未完成的数量",
    ],
};

static ID_REUSED: Page = Page {
    title: ["id reused", "标识重复使用"],
    meaning: [
        "The idempotency key or file id was used before for something else. Never handled.",
        "该幂等键或文件标识之前已用于其他内容。消息没有被处理。",
    ],
    causes: [&["two different messages with one key"], &["两条不同的消息使用了同一个键"]],
    next: [
        "give every message a key of its own, and the same one only when you send it again",
        "每条消息使用各自的键，仅在重发同一消息时使用相同的键",
    ],
};

static FILE_REFUSED: Page = Page {
    title: ["file refused", "文件被拒绝"],
    meaning: [
        "The receiver does not take the file. Nothing of it is visible there.",
        "接收方不接受该文件。对方看不到文件的任何部分。",
    ],
    causes: [
        &[
            "a file of that name is there",
            "it is too long, or there is no room",
            "the subscriber receives no files",
        ],
        &["已存在同名文件", "文件过大或空间不足", "订阅者不接收文件"],
    ],
    next: [
        "the kind of the error says why: `amop errors KIND`",
        "错误的类别说明原因：`amop errors KIND`",
    ],
};
