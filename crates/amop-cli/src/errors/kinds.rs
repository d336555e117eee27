//! A hint for each kind.

use amop_wire::Reason;

use super::Hint;

/// What there is to say about a kind. The English sentence is the reason's own.
pub(super) fn hint(reason: Reason) -> &'static Hint {
    let known = HINTS.iter().find(|(of, _)| *of == reason);
    known.map_or(&HINTS[0].1, |(_, hint)| hint)
}

const fn of(
    reason: Reason,
    chinese: &'static str,
    english_next: &'static str,
    chinese_next: &'static str,
) -> (Reason, Hint) {
    (reason, Hint { chinese, next: [english_next, chinese_next] })
}

static HINTS: &[(Reason, Hint)] = &[
    of(
        Reason::Unspecified,
        "没有给出原因",
        "the code says what is certain: `amop errors CODE`",
        "代码说明了可以确定的内容：`amop errors CODE`",
    ),
    of(
        Reason::NotConnected,
        "没有连接到任何节点",
        "check --endpoint, and `amop status` at the node",
        "检查 --endpoint，并在节点上运行 `amop status`",
    ),
    of(
        Reason::ConnectionLost,
        "在结果到达之前与节点的连接中断",
        "whether it was handled is unknown: send it again with the same idempotency key",
        "是否已处理未知：请使用相同的幂等键重新发送",
    ),
    of(
        Reason::NoSubscriber,
        "能到达的节点上都没有订阅者",
        "`amop who TOPIC` and `amop topics` at your node show who subscribes to what",
        "在本方节点上运行 `amop who TOPIC` 和 `amop topics` 查看谁订阅了什么",
    ),
    of(
        Reason::NoPath,
        "无法到达任何有订阅者的节点",
        "`amop topology` and `amop peers` show which links are missing",
        "`amop topology` 和 `amop peers` 显示缺少哪些链路",
    ),
    of(
        Reason::SubscriberGone,
        "订阅者已不再连接到它的节点",
        "send it again; another subscriber, or the same one, takes it once it is back",
        "重新发送；其他订阅者或恢复后的同一订阅者会处理",
    ),
    of(
        Reason::SubscriberBusy,
        "订阅者的队列已满",
        "send more slowly, or run more subscribers",
        "降低发送速度，或增加订阅者",
    ),
    of(
        Reason::NotSubscribed,
        "订阅者已退订该主题",
        "`amop who TOPIC` shows who is left",
        "`amop who TOPIC` 显示剩余的订阅者",
    ),
    of(
        Reason::Deadline,
        "没有人在期限内应答",
        "give --timeout more, or ask the subscriber's institution what its handler does",
        "加大 --timeout，或向订阅方机构了解其处理程序的情况",
    ),
    of(Reason::StaleEpoch, "订阅者的节点已重启", "send it again", "重新发送"),
    of(
        Reason::BadTopic,
        "主题无效",
        "1 to 255 bytes without control characters and without white space at the ends",
        "1 至 255 字节，不含控制字符，首尾没有空白",
    ),
    of(
        Reason::PayloadTooLong,
        "内容超过上限",
        "send it as a file: `amop send FILE TOPIC`",
        "作为文件发送：`amop send FILE TOPIC`",
    ),
    of(
        Reason::TooManySubscriptions,
        "订阅数量已达上限",
        "a client has at most 1,024; leave topics, or use several clients",
        "每个客户端最多 1,024 个；请退订部分主题或使用多个客户端",
    ),
    of(
        Reason::TooManyRequests,
        "进行中的发布数量已达上限",
        "wait for outcomes before publishing more",
        "等待已有结果后再继续发布",
    ),
    of(
        Reason::ShuttingDown,
        "节点正在关闭",
        "give the client a second endpoint; the SDK goes there by itself",
        "为客户端配置第二个端点，SDK 会自动切换",
    ),
    of(
        Reason::KeyReused,
        "该键之前已用于另一条消息",
        "give every message an idempotency key of its own",
        "每条消息使用各自的幂等键",
    ),
    of(
        Reason::NoVerifiedReceiver,
        "没有订阅者证明持有名单上的密钥",
        "who is to read it runs `amop sub TOPIC --topic-key FILE`; then send it again",
        "接收方运行 `amop sub TOPIC --topic-key FILE` 之后再重新发送",
    ),
    of(
        Reason::CannotOpen,
        "无法打开密封的内容",
        "send it again; if it stays, the receiver has another key now, or somebody between alters messages",
        "重新发送；如果持续出现，说明接收方已改用其他密钥，或途中有人篡改消息",
    ),
    of(
        Reason::NotSealed,
        "订阅者只接受为其密封的内容",
        "give --to KEY with the public key of the receiver",
        "使用 --to KEY 指定接收方的公钥",
    ),
    of(
        Reason::NotPermitted,
        "节点的规则不允许",
        "`amop acl explain ID ACTION TOPIC` at the node tells which rule, if any, refuses it",
        "在节点上运行 `amop acl explain ID ACTION TOPIC` 查看是哪条规则拒绝了它",
    ),
    of(
        Reason::SessionRate,
        "该会话的发布速率超过限制",
        "send more slowly; `limits.session` of your node says how fast is allowed",
        "降低发送速度；上限见本方节点的 `limits.session`",
    ),
    of(
        Reason::AgencyRate,
        "该机构的发布速率超过限制",
        "send more slowly; `limits.agency` of your node says how fast is allowed",
        "降低发送速度；上限见本方节点的 `limits.agency`",
    ),
    of(
        Reason::NodeRate,
        "该节点全部客户端的发布速率超过限制",
        "send more slowly; `limits.node` of your node says how fast is allowed",
        "降低发送速度；上限见本方节点的 `limits.node`",
    ),
    of(
        Reason::MemoryFull,
        "节点已达到其内存上限",
        "wait and send it again; `limits.node.memory` of the node says how much it may hold",
        "稍候重新发送；上限见节点的 `limits.node.memory`",
    ),
    of(
        Reason::FileExists,
        "已存在同名文件，且不允许覆盖",
        "send it under another name, or have the receiver move the old one away",
        "换一个文件名发送，或请接收方移走旧文件",
    ),
    of(
        Reason::FileTooLong,
        "文件超过接收方的上限",
        "ask the receiver to take longer files",
        "请接收方提高文件大小上限",
    ),
    of(
        Reason::FileNotWanted,
        "接收方不接受该名称的文件",
        "ask the receiver which names it accepts",
        "向接收方询问接受哪些文件名",
    ),
    of(
        Reason::DiskFull,
        "接收方没有足够的空间",
        "ask the receiver to make room; the same command then goes on where it was",
        "请接收方腾出空间；之后用同一命令即可续传",
    ),
    of(
        Reason::DirectoryFailed,
        "接收方无法写入其目录",
        "ask the receiver to look at its directory and its permissions",
        "请接收方检查其目录和权限",
    ),
    of(
        Reason::FileChanged,
        "文件在发送过程中被修改",
        "send it again once nothing writes to it",
        "确认无人写入后重新发送",
    ),
    of(
        Reason::FileUnreadable,
        "无法读取文件",
        "check that the file is there and that this user may read it",
        "检查文件是否存在以及当前用户是否有读取权限",
    ),
    of(
        Reason::ChecksumMismatch,
        "收到的内容与所提供的不一致",
        "send it again; if it stays, look at the disks of both ends",
        "重新发送；如果持续出现，请检查两端的磁盘",
    ),
    of(
        Reason::FileIdReused,
        "该标识之前已用于另一个文件",
        "give every file an idempotency key of its own, or none",
        "为每个文件使用各自的幂等键，或不使用",
    ),
    of(
        Reason::Cancelled,
        "传输被取消",
        "send it again: it goes on where it was",
        "重新发送：将从中断处继续",
    ),
];
